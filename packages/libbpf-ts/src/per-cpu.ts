import type { MapType, UnknownType } from "./kernel-names.ts";

const PER_CPU: ReadonlySet<string> = new Set<MapType>([
  "percpu_hash",
  "percpu_array",
  "lru_percpu_hash",
  "percpu_cgroup_storage",
]);

export function isPerCpu(type: MapType | UnknownType): boolean {
  return PER_CPU.has(type);
}

/** Each CPU's value is padded to 8 bytes: bpf_map_value_size() in kernel/bpf/syscall.c. */
export function perCpuStride(valueSize: number): number {
  return Math.ceil(valueSize / 8) * 8;
}

/** Cuts what one lookup returned into the CPUs' values: views, without the padding. */
export function splitPerCpu(values: Uint8Array, valueSize: number): Uint8Array[] {
  const stride = perCpuStride(valueSize);
  const cpus = stride === 0 ? 0 : values.length / stride;
  return Array.from({ length: cpus }, (_, cpu) => values.subarray(cpu * stride, cpu * stride + valueSize));
}

/** The reverse. Throws a RangeError when a value is not exactly `valueSize` bytes; the number of values is checked natively. */
export function joinPerCpu(values: readonly Uint8Array[], valueSize: number): Uint8Array {
  const stride = perCpuStride(valueSize);
  const joined = new Uint8Array(stride * values.length);
  for (const [cpu, value] of values.entries()) {
    if (value.length !== valueSize) throw wrongSize(cpu, value.length, valueSize);
    joined.set(value, cpu * stride);
  }
  return joined;
}

function wrongSize(cpu: number, have: number, need: number): RangeError {
  const error = new RangeError(`the value of CPU ${cpu} has ${have} bytes, the map's has ${need}`);
  return Object.assign(error, { code: "ERR_OUT_OF_RANGE" });
}
