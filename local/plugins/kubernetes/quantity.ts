const suffixes: Record<string, number> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  "": 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/** The value of a Kubernetes quantity (`1500m`, `2Gi`, `1e3`); undefined for anything else. */
export function parseQuantity(value: unknown): number | undefined {
  if (typeof value === "number") return value;
  const match =
    typeof value === "string" ? /^([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)([a-zA-Z]{0,2})$/.exec(value) : null;
  const factor = match ? suffixes[match[2]!] : undefined;
  return factor === undefined ? undefined : Number(match![1]) * factor;
}

/** Whether two spellings mean the same amount: the API server rewrites `1000m` as `1`. */
export function sameQuantity(a: unknown, b: unknown): boolean {
  const [x, y] = [parseQuantity(a), parseQuantity(b)];
  return x !== undefined && y !== undefined && Math.abs(x - y) <= 1e-12 * Math.max(Math.abs(x), Math.abs(y));
}
