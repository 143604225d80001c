import { createRequire } from "node:module";
import { decodeFromCompressedBase64, type JsHistogram } from "hdr-histogram-js";
import type { Distribution, Result } from "../result.ts";
import { pointInWords } from "./axes.ts";
import type { Run } from "./store.ts";

/** Not exported by the library's index, and CommonJS, which loaders of modules understand in different ways. */
const { default: RecordedValuesIterator } = createRequire(import.meta.url)(
  "hdr-histogram-js/dist/RecordedValuesIterator.js",
) as typeof import("hdr-histogram-js/dist/RecordedValuesIterator.js");

/** A file for other tools. */
export interface Exported {
  readonly name: string;
  readonly text: string;
}

/**
 * What the guide's benchmark script leaves of a closed loop, as `log_n<nodes>_i<instances on each>_c<clients>_<date>.txt`: the
 * throughput, and the latency of every answered request in milliseconds, one on a line. The order of the requests is not kept in a
 * result: latencies are in order of size, to three digits.
 *
 * @returns undefined for a load without clients, or servers that are not known
 */
export function guideLog({ result }: Pick<Run, "result">): Exported | undefined {
  const { requested, achieved } = result.load;
  const { servers } = result.environment;
  if (requested.mode !== "closed" || servers.length === 0) return undefined;
  const nodes = new Set(servers.map(({ node }) => node)).size;
  const date = result.startedAt
    .replaceAll(/[-:]|\.\d+Z?/g, "")
    .replace("T", "-")
    .replace("Z", "");
  const head = `total: ${achieved.durationSeconds.toFixed(3)} seconds, throughput ${result.throughput.inferencesPerSecond.toFixed(2)} imgs/s`;
  const lines: string[] = [head];
  for (const { micros, count } of valuesOf(result.histogram.latency))
    for (let i = 0; i < count; i++) lines.push((micros / 1000).toFixed(3));
  return {
    name: `log_n${nodes}_i${servers.length / nodes}_c${requested.clients}_${date}.txt`,
    text: `${lines.join("\n")}\n`,
  };
}

/**
 * A result as the driver of Clipper's benchmarks saves it, `clipper_metrics` with all values as texts. Instead of moving averages
 * the rates of one, five and fifteen minutes are those of the last minutes of the run; of a shorter one, of all of it.
 */
export function clipperJson(run: Run): Exported {
  const { result } = run;
  const { target, histogram, throughput, counts, load } = result;
  const app = `app:${target.model}`;
  const version = String(result.about.model ?? "").split("/")[1] ?? "1";
  const model = `model:${target.model}:${version}`;
  const batch = load.requested.batch;
  const meter = {
    ...recentRates(result, batch),
    rate: String(throughput.inferencesPerSecond),
    unit: "events per second",
  };
  const batches = {
    count: counts.answered,
    hdr: "",
    minMicros: batch,
    maxMicros: batch,
    sumMicros: batch * counts.answered,
  };
  const failures = counts.sent > 0 ? counts.failed / counts.sent : 0;
  const metrics = {
    histograms: [
      { [`${app}:prediction_latency`]: latencyOf(histogram.latency) },
      { [`${model}:prediction_latency`]: latencyOf(histogram.serviceTime) },
      { [`${model}:batch_size`]: { ...constant(batches), unit: "queries" } },
    ],
    meters: [
      { "internal:aggregate_model_throughput": meter },
      { [`${app}:prediction_throughput`]: meter },
      { [`${model}:prediction_throughput`]: meter },
    ],
    ratio_counters: [
      { [`${app}:default_prediction_ratio`]: { ratio: String(failures) } },
      { [`${model}:cache_hit_ratio`]: { ratio: "0" } },
    ],
    counters: [
      { "internal:aggregate_num_predictions": { count: String(counts.inferences) } },
      { [`${app}:num_predictions`]: { count: String(counts.inferences) } },
      { [`${model}:num_predictions`]: { count: String(counts.inferences) } },
    ],
  };
  const date = result.startedAt.slice(2, 19).replaceAll(/[-:]/g, "").replace("T", "_");
  const about = { cell: pointInWords(run.settings), key: result.key, verdict: result.verdict };
  return {
    name: `results-${date}-${result.key}.json`,
    text: `${JSON.stringify({ inference_stack: about, clipper_metrics: metrics }, null, 4)}\n`,
  };
}

function latencyOf(distribution: Distribution) {
  const { count, minMicros, maxMicros, sumMicros, hdr } = distribution;
  const histogram = count > 0 ? (decodeFromCompressedBase64(hdr) as JsHistogram) : undefined;
  const at = (percentile: number) => String(histogram?.getValueAtPercentile(percentile) ?? 0);
  return {
    p99: at(99),
    min: String(minMicros ?? 0),
    max: String(maxMicros ?? 0),
    p95: at(95),
    std_dev: String(histogram?.stdDeviation ?? 0),
    size: String(count),
    p50: at(50),
    unit: "microseconds",
    mean: String(count > 0 ? sumMicros / count : 0),
  };
}

const constant = ({ count, minMicros: value }: { count: number; minMicros: number }) => {
  const text = String(value);
  return { p99: text, min: text, max: text, p95: text, std_dev: "0", size: String(count), p50: text, mean: text };
};

function recentRates({ series, load }: Result, batch: number) {
  const length = load.achieved.durationSeconds;
  const over = (minutes: number) => {
    const from = Math.max(0, length - minutes * 60);
    const bins = series.filter(({ startSeconds }) => startSeconds >= from);
    const seconds = bins.reduce((sum, { durationSeconds }) => sum + durationSeconds, 0);
    const answered = bins.reduce((sum, bin) => sum + bin.answered, 0);
    return String(seconds > 0 ? (answered * batch) / seconds : 0);
  };
  return { rate_1min: over(1), rate_5min: over(5), rate_15min: over(15) };
}

/** The recorded values in order of size. */
function* valuesOf({ hdr, count }: Distribution): Generator<{ micros: number; count: number }> {
  if (count === 0) return;
  const histogram = decodeFromCompressedBase64(hdr) as JsHistogram;
  const recorded = new RecordedValuesIterator(histogram);
  while (recorded.hasNext()) {
    const { valueIteratedTo, countAtValueIteratedTo } = recorded.next();
    yield { micros: histogram.medianEquivalentValue(valueIteratedTo), count: countAtValueIteratedTo };
  }
}
