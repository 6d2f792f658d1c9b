import { accessSync, constants, statfsSync } from "node:fs";
import { fileSystemCall, LibbpfError, ownError } from "./errors.ts";
import { helperNumber } from "./helper-names.ts";
import { ATTACH_TYPES, MAP_TYPES, type MapType, PROGRAM_TYPES, type ProgramType } from "./kernel-names.ts";
import { native } from "./native.ts";

/** What trying a feature said. `error` is set when it could not be tried: this process is refused bpf(2), for instance. */
export interface ProbeResult {
  readonly available: boolean;
  readonly error?: LibbpfError;
}

/** Version of the libbpf in use, as `"1.1"`. */
export function libbpfVersion(): string {
  return native.version().replace(/^v/, "");
}

/** May this process use bpf(2) at all? Creates a small map and drops it. */
export function probeBpf(): ProbeResult {
  return probe(() => native.probeBpf());
}

/** Does the kernel load programs of this type? Loads a trivial one and drops it. */
export function probeProgramType(type: ProgramType): ProbeResult {
  return probe(() => native.probeBpf() && native.probeProgramType(PROGRAM_TYPES[type]));
}

/** Does the kernel create maps of this type? Creates a small one and drops it. */
export function probeMapType(type: MapType): ProbeResult {
  return probe(() => native.probeBpf() && native.probeMapType(MAP_TYPES[type]));
}

/**
 * May programs of this type call this helper? Tracing programs cannot be asked: ENOTSUP.
 * @param helper name without `bpf_`, for instance `redirect_peer`, or number (`BPF_FUNC_…`)
 * @throws {LibbpfError} ERR_UNKNOWN_NAME
 */
export function probeHelper(type: ProgramType, helper: string | number): ProbeResult {
  const number = typeof helper === "number" ? helper : helperNumber(helper);
  if (number === undefined)
    throw ownError("ERR_UNKNOWN_NAME", `no BPF helper named ${helper} is known; give its number`);
  return probe(() => {
    native.probeBpf();
    // libbpf takes "the program type does not load" for "the helper is there".
    return native.probeProgramType(PROGRAM_TYPES[type]) && native.probeHelper(PROGRAM_TYPES[type], number);
  });
}

/** Does the kernel have tcx (Linux 6.6)? Asks what stands at the loopback device. */
export function probeTcx(): ProbeResult {
  return probe(() => native.probeTcx(ATTACH_TYPES.tcx_ingress));
}

/** Does the kernel have netfilter programs (Linux 6.4, and `CONFIG_NETFILTER_BPF_LINK`)? Loads one that accepts everything. */
export function probeNetfilter(): ProbeResult {
  return probe(() => native.probeBpf() && native.probeNetfilter());
}

/** Does the kernel read this type of map in batches (hashes since Linux 5.6)? Without, `entries()` reads key by key. */
export function probeBatch(type: MapType): ProbeResult {
  return probe(() => native.probeBpf() && native.probeBatch(MAP_TYPES[type]));
}

/** Do network namespaces have cookies (Linux 5.14)? */
export function probeNetnsCookie(): ProbeResult {
  return probe(() => native.netnsCookie(-1) > 0n);
}

/** Does the kernel have ring buffers (Linux 5.8)? */
export function probeRingBuffer(): ProbeResult {
  return probeMapType("ringbuf");
}

/** `BPF_FS_MAGIC`, include/uapi/linux/magic.h. */
const BPF_FS_MAGIC = 0xcafe4a11;

/** Is a BPF file system mounted at that path, and may this process write there? Without: ERR_NOT_BPFFS, ENOENT, EACCES, EROFS. */
export function probeBpffs(path = "/sys/fs/bpf"): ProbeResult {
  return probe(() => {
    fileSystemCall("statfs", () => {
      if (statfsSync(path).type !== BPF_FS_MAGIC) {
        throw ownError("ERR_NOT_BPFFS", `${path} is not on a BPF file system: mount -t bpf bpf ${path}`);
      }
    });
    fileSystemCall("access", () => accessSync(path, constants.W_OK));
    return true;
  });
}

function probe(ask: () => boolean): ProbeResult {
  try {
    return { available: ask() };
  } catch (error) {
    if (error instanceof LibbpfError) return { available: false, error };
    throw error;
  }
}
