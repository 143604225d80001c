import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { inputsOf } from "../../../benchmarks/client/cli/inputs.ts";
import { readClasses, readImageList } from "../../../benchmarks/client/images.ts";
import { inputsFolder } from "./servers.ts";

/** A folder with three images, a list of them, and names of their classes. */
function images(list = "dog.jpeg 248\n\r\n  a zebra.jpeg   340 \r\npelican.jpeg\t144\n") {
  const folder = mkdtempSync(join(tmpdir(), "images-"));
  for (const name of ["dog", "a zebra", "pelican"]) writeFileSync(join(folder, `${name}.jpeg`), `JPEG of ${name}`);
  const at = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const classes = { 248: "Eskimo dog, husky", 340: "zebra", 144: "pelican" };
  return { folder, at, list: at("list.txt", list), classes: at("classes.json", JSON.stringify(classes)) };
}

test("a list of images is read in its order, each as the bytes of its file", () => {
  const read = readImageList(images().list);
  expect(read.map(({ name, data, datatype, shape }) => [name, data.toString(), datatype, shape])).toEqual([
    ["dog.jpeg", "JPEG of dog", "BYTES", []],
    ["a zebra.jpeg", "JPEG of a zebra", "BYTES", []],
    ["pelican.jpeg", "JPEG of pelican", "BYTES", []],
  ]);
  expect(read.map(({ labels }) => [...labels])).toEqual([
    [248, "248"],
    [340, "340"],
    [144, "144"],
  ]);
});

test("the limit takes the first images and reads no further", () => {
  const { list, folder } = images("dog.jpeg 248\nmissing.jpeg 1\n");
  expect(readImageList(list, { limit: 1 })).toHaveLength(1);
  expect(() => readImageList(list)).toThrow(
    `Cannot read the image missing.jpeg: ENOENT: no such file or directory, open '${join(folder, "missing.jpeg")}'.`,
  );
});

test("a base path is where the images are", () => {
  const { folder, at } = images();
  mkdirSync(join(folder, "lists"));
  const list = at("lists/list.txt", "dog.jpeg 248");
  expect(() => readImageList(list)).toThrow(/Cannot read the image dog\.jpeg/);
  expect(readImageList(list, { basePath: folder })).toHaveLength(1);
});

test("what is not a list of images is refused with its line", () => {
  expect(() => readImageList(images("dog.jpeg 248\nzebra.jpeg\n").list)).toThrow(
    /list\.txt, line 2: "zebra\.jpeg" is not the path of an image and the number of its class; an example is: dog\.jpeg 248\./,
  );
  expect(() => readImageList(images("\n").list)).toThrow(/lists no images/);
  expect(() => readImageList("/nowhere/list.txt")).toThrow(/^Cannot read the list of images: ENOENT/);
  const { at } = images();
  at("empty.jpeg", "");
  expect(() => readImageList(at("list.txt", "empty.jpeg 1"))).toThrow(/The image .*empty\.jpeg is empty/);
});

test("with the names of the classes a server may answer with them", () => {
  const { list, classes, at } = images();
  const [dog] = inputsOf({ inputImagesList: list, classesFile: classes });
  expect([...dog!.labels]).toEqual([248, "248", "Eskimo dog, husky"]);
  expect(() => inputsOf({ inputImagesList: list, classesFile: at("few.json", '{"248": "dog"}') })).toThrow(
    /a zebra\.jpeg is of class 340, which .*few\.json does not name \(it names 1\)/,
  );
  expect(readClasses(at("list.json", '["tench", "goldfish"]')).get(1)).toBe("goldfish");
  for (const [text, sentence] of [
    ["{", /is not JSON/],
    ["{}", /must hold names of classes by number, such as/],
    ['{"dog": "248"}', /"dog": "248" is not a class's number and name/],
    ['{"1": 2}', /"1": 2 is not/],
  ] as const)
    expect(() => readClasses(at("bad.json", text))).toThrow(sentence);
});

test("inputs come from one place", () => {
  const { list, folder } = images();
  const dog = join(folder, "dog.jpeg");
  expect(inputsOf({ image: [`${dog}=248`] })).toMatchObject([{ name: dog, datatype: "BYTES" }]);
  expect(inputsOf({ inputs: inputsFolder() })).toHaveLength(3);
  const refused: [Parameters<typeof inputsOf>[0], RegExp][] = [
    [{}, /^What to send\? Give --inputs FOLDER, --input-images-list FILE, or --image PATH=CLASS\.$/],
    [{ inputs: "a", inputImagesList: list }, /^--inputs a and --input-images-list .* both say what to send/],
    [{ inputs: "a", imagesLimit: 3 }, /^--images-limit 3 belongs to --input-images-list/],
    [{ image: [dog] }, /is not PATH=CLASS/],
    [{ ingress: "a:1" }, /^Cannot read the list of images: .*input_images\.txt/],
  ];
  for (const [flags, sentence] of refused) expect(() => inputsOf(flags)).toThrow(sentence);
});
