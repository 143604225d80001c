import { UserError } from "../../../error.ts";
import { readClasses, readImage, readImageList } from "../images.ts";
import { type Input, readInputs } from "../inputs.ts";
import { guideDefaults } from "./defaults.ts";
import { written } from "./load.ts";

/** Flags that say what is sent; undefined where not given. */
export interface InputFlags {
  inputs?: string;
  image?: readonly string[];
  inputImagesList?: string;
  classesFile?: string;
  inputBasePath?: string;
  imagesLimit?: number;
  batch?: number;
  ingress?: string;
}

/**
 * Reads the inputs that the flags name.
 *
 * @throws UserError if they contradict each other, or a file is missing or not what it should be
 */
export function inputsOf(flags: InputFlags): Input[] {
  const inputs = read(flags);
  if (flags.classesFile === undefined) return inputs;
  const { classesFile } = flags;
  const names = readClasses(classesFile);
  return inputs.map((input) => {
    const labels = new Set(input.labels);
    for (const label of input.labels) {
      if (typeof label !== "number") continue;
      const name = names.get(label);
      if (name === undefined)
        throw new UserError(
          `${input.name} is of class ${label}, which ${classesFile} does not name (it names ${names.size}). Is it the dictionary of this model?`,
        );
      labels.add(name);
    }
    return { ...input, labels };
  });
}

function read(flags: InputFlags): Input[] {
  const { inputs, image, inputBasePath, imagesLimit } = flags;
  const sources = (["inputs", "image", "inputImagesList"] as const).filter((key) => flags[key] !== undefined);
  if (sources.length > 1)
    throw new UserError(
      `${sources.map((key) => (key === "image" ? "--image" : written(flags, key))).join(" and ")} both say what to send. Give one of them.`,
    );
  const list = flags.inputImagesList ?? (sources.length === 0 && flags.ingress ? guideDefaults.imagesList : undefined);
  if (list !== undefined) return readImageList(list, { basePath: inputBasePath, limit: imagesLimit });
  for (const key of ["inputBasePath", "imagesLimit"] as const)
    if (flags[key] !== undefined)
      throw new UserError(`${written(flags, key)} belongs to --input-images-list, which is not given. Leave it out.`);
  if (image) return image.map(parseImage);
  if (inputs !== undefined) return readInputs(inputs);
  throw new UserError("What to send? Give --inputs FOLDER, --input-images-list FILE, or --image PATH=CLASS.");
}

function parseImage(text: string): Input {
  const [, path, label] = /^(.+)=(\d+)$/.exec(text) ?? [];
  if (path === undefined)
    throw new UserError(
      `--image ${text} is not PATH=CLASS with the number of the right class; an example is dog.jpeg=248.`,
    );
  return readImage(path, path, Number(label));
}
