// Objects, and what they hold

export { attachClsact, type ClsactAttachment, type ClsactFilter, detachClsact, queryClsact } from "./clsact.ts";
export { ERROR_CODES, LibbpfError, type OwnErrorCode } from "./errors.ts";
// Names and errors
export type { AttachType, LinkType, MapType, ProgramType, UnknownType } from "./kernel-names.ts";
export { BpfLink, type LinkInfo } from "./link.ts";
export { BpfMap, type MapInfo, type MapOptions, possibleCpus, type UpdateMode } from "./map.ts";
export type { Direction, NetnsFd } from "./netns.ts";
export { BpfObject, type MapSpec, type ProgramSpec } from "./object.ts";
// What the kernel can do
export {
  libbpfVersion,
  type ProbeResult,
  probeBpf,
  probeBpffs,
  probeHelper,
  probeMapType,
  probeProgramType,
  probeRingBuffer,
  probeTcx,
} from "./probes.ts";
export { BpfProgram, type ProgramInfo, type TestRunInput, type TestRunResult } from "./program.ts";
export { RingBuffer } from "./ring-buffer.ts";
export { attachSkLookup, querySkLookup } from "./sk-lookup.ts";
// Hooks
export { attachTcx, attachTcxAsync, queryTcx, type TcxAttachment, type TcxHook, type TcxPrograms } from "./tcx.ts";
