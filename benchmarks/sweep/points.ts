import { type AxisName, axisNames, exclusive, type Point } from "./axes.ts";
import type { Setting } from "./store.ts";
import { parseCondition, type Values } from "./where.ts";

/** What a stack's `sweep` says of its points. */
export interface SweepRequest {
  /** The guide's loop over nodes, instances and clients. */
  readonly preset?: "guide";
  /** Every combination of these values is a point. */
  readonly axes: Readonly<Partial<Record<AxisName, readonly Setting[]>>>;
  /** Conditions that a point of the grid has to meet. */
  readonly where: readonly string[];
  /** Further points. */
  readonly cells: readonly Point[];
}

/** The nodes of the stack, for the values that the guide's loop leaves to it. */
export interface Machines {
  readonly nodes: number;
  readonly cpus: number;
  readonly sockets: number;
}

/** Numbers of clients of the guide's loop. */
const GUIDE_CLIENTS = [1, 2, 4, 8, 16, 32];

/**
 * The points of a sweep, each once, in an order in which axes of the servers change least often.
 *
 * @param stack values of the stack's own config, for conditions on axes that the sweep does not vary
 */
export function pointsOf(request: SweepRequest, stack: Values, machines: Machines): Point[] {
  const values = request.preset === "guide" ? { ...guideAxes(machines), ...request.axes } : request.axes;
  const varied = axisNames.filter((name) => values[name] !== undefined);
  const grid = varied.reduce<Point[]>(
    (points, name) => points.flatMap((point) => values[name]!.map((value) => ({ ...point, [name]: value }))),
    varied.length > 0 ? [{}] : [],
  );
  const known = { ...stack, ...grid[0] };
  const conditions = request.where.map((text) => parseCondition(text, known));
  const kept = grid.filter((point) => conditions.every((holds) => holds({ ...stack, ...point })));
  const all = [...kept, ...request.cells].map(inOrder);
  return [...new Map(all.map((point) => [JSON.stringify(point), point])).values()];
}

/** The loop of the guide's scripts: on all nodes, every possible number of instances, each with every number of clients. */
function guideAxes({ nodes, cpus, sockets }: Machines): SweepRequest["axes"] {
  const instances = Array.from({ length: cpus }, (_, i) => i + 1).filter((n) => cpus % n === 0 && n % sockets === 0);
  return { nodes: [nodes], instances, clients: GUIDE_CLIENTS };
}

const inOrder = (point: Point): Point =>
  Object.fromEntries(axisNames.flatMap((name) => (point[name] === undefined ? [] : [[name, point[name]]])));

/** One line for each mistake in a sweep that its shape alone does not show. */
export function sweepProblems(request: SweepRequest, stack: Values): string[] {
  const at = (names: readonly string[], where: string) =>
    exclusive
      .filter(({ pair }) => pair.every((name) => names.includes(name)))
      .map(({ pair, why }) => `${where}: ${pair.join(" and ")} are both there, but ${why}; leave one of them out`);
  const first = Object.fromEntries(
    Object.entries(request.axes).flatMap(([name, values]) => (values?.length ? [[name, values[0]]] : [])),
  );
  return [
    ...at(Object.keys(request.axes), "sweep.axes"),
    ...request.cells.flatMap((cell, index) => at(Object.keys(cell), `sweep.cells[${index}]`)),
    ...request.where.flatMap((text, index) => {
      try {
        parseCondition(text, { ...stack, ...first });
        return [];
      } catch (error) {
        return [`sweep.where[${index}]: ${JSON.stringify(text)} cannot be used: ${(error as Error).message}`];
      }
    }),
  ];
}
