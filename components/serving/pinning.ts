import type { types } from "@pulumi/kubernetes";
import type { InstancePlan } from "./cpuPlan.ts";

type EnvVar = types.input.core.v1.EnvVar;

/**
 * Pins the container's process to the CPU list of its pod, prints what the kernel then allows it, and becomes the server.
 * Works in any image that has bash and numactl or taskset. Ends with 1 when the CPUs are not there, because a server that
 * silently runs elsewhere would be measured as if it were pinned.
 *
 * The memory node is not bound: `numactl --membind` needs a capability that restricted pods do not have. A server touches its
 * memory first on the CPUs it is pinned to, so the kernel places it on their node.
 */
const PIN = `set -euo pipefail
fail() { echo "pinning: $*" >&2; exit 1; }
IFS=';' read -ra lists <<< "$CPU_LISTS"
cpus="\${lists[$POD_INDEX]:-}"
[ -n "$cpus" ] || fail "pod $POD_INDEX has no CPU list in the plan ($CPU_LISTS)"
if command -v numactl > /dev/null; then pin=(numactl "--physcpubind=$cpus" --)
elif command -v taskset > /dev/null; then pin=(taskset -c "$cpus")
else fail "this image has neither numactl nor taskset; use another image, or pinning: none"; fi
said=$("\${pin[@]}" true 2>&1) || fail "CPUs $cpus cannot be used on this node: \${said%%$'\\n'*}"
exec "\${pin[@]}" bash --norc -c "$READ_BACK" "$cpus" "$@"`;

/** Between two lines on throttling. */
const REPORT_SECONDS = 5;

/**
 * In a container with a CPU quota a loop in the background, which ends with the server, writes into the log in how many of the
 * quota's periods the kernel has stopped the container: the log is all of it that a client may read.
 */
const REPORT = `report() {
  while kill -0 $$ 2> /dev/null; do
    while read -r key value; do declare "$key=$value"; done < "$1"
    echo "cpu.stat nr_periods $nr_periods nr_throttled $nr_throttled"
    sleep ${REPORT_SECONDS} || return
  done
}
cgroups=\${CGROUPS:-/sys/fs/cgroup}
for file in "$cgroups/cpu.max" "$cgroups/cpu/cpu.cfs_quota_us"; do
  { read -r quota _ < "$file"; } 2> /dev/null || continue
  case $quota in max|-1) ;; *) report "\${file%/*}/cpu.stat" & ;; esac
done`;

const READ_BACK = `while read -r key value; do [ "$key" != Cpus_allowed_list: ] || allowed=$value; done < /proc/self/status
echo "Cpus_allowed_list: $allowed"
[ "$allowed" = "$0" ] || { echo "pinning: planned are CPUs $0, but the kernel allows $allowed" >&2; exit 1; }
${REPORT}
exec "$@"`;

/** Command that starts `command` on the CPUs of its pod. */
export function pinned(command: readonly string[]): string[] {
  return ["bash", "--norc", "-c", PIN, "pinning", ...command];
}

/** The number of a pod in its StatefulSet. */
const OWN_ORDINAL = { valueFrom: { fieldRef: { fieldPath: "metadata.labels['apps.kubernetes.io/pod-index']" } } };

/**
 * What that command needs to know: the CPU lists of instances, and which of them is the pod's.
 *
 * @param index the pod's own; absent: its ordinal
 */
export function pinningEnv(instances: readonly InstancePlan[], index?: number): EnvVar[] {
  return [
    { name: "CPU_LISTS", value: instances.map(({ cpus }) => cpus).join(";") },
    { name: "POD_INDEX", ...(index === undefined ? OWN_ORDINAL : { value: String(index) }) },
    { name: "READ_BACK", value: READ_BACK },
  ];
}

/**
 * For a container whose CPUs the kubelet has chosen: prints what the kernel allows it, and becomes the server. Ends with 1 when
 * these are not as many as planned, because then no static CPU manager is at work on the node, or the pod is not Guaranteed.
 */
const OBSERVE = `set -euo pipefail
while read -r key value; do [ "$key" != Cpus_allowed_list: ] || allowed=$value; done < /proc/self/status
echo "Cpus_allowed_list: $allowed"
count=0
IFS=, read -ra runs <<< "$allowed"
for run in "\${runs[@]}"; do count=$((count + \${run#*-} - \${run%-*} + 1)); done
[ "$count" = "$EXCLUSIVE_CPUS" ] || {
  echo "pinning: planned are $EXCLUSIVE_CPUS CPUs of its own, but the kernel allows $allowed; does the node's kubelet run with cpuManagerPolicy static?" >&2
  exit 1
}
${REPORT}
exec "$@"`;

/** Command that starts `command` on the CPUs that the kubelet gave its container, which are to be `EXCLUSIVE_CPUS` in number. */
export function observed(command: readonly string[]): string[] {
  return ["bash", "--norc", "-c", OBSERVE, "pinning", ...command];
}
