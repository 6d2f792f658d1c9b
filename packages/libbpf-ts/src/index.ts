// Objects, and what they hold

// Types and layouts
export { Btf, type BtfId, type BtfMember, type BtfType, type IntEncoding } from "./btf.ts";
export { btfCodec } from "./btf-codec.ts";
export { type LayoutField, layoutDifferences, layoutOf, type TypeLayout } from "./btf-layout.ts";
// Hooks
export {
  attachCgroup,
  attachCgroupAsync,
  type CgroupAttachment,
  type CgroupAttachType,
  type CgroupHook,
  queryCgroup,
} from "./cgroup.ts";
export {
  attachClsact,
  attachClsactAsync,
  type ClsactAttachment,
  type ClsactFilter,
  detachClsact,
  queryClsact,
} from "./clsact.ts";
export type { Codec } from "./codec.ts";
// Names and errors
export { ERROR_CODES, LibbpfError, type OwnErrorCode } from "./errors.ts";
// What the kernel has, and what it can do
export { linkIds, mapIds, programIds } from "./ids.ts";
export type { AttachType, LinkType, MapType, ProgramType, UnknownType } from "./kernel-names.ts";
export { BpfLink, type LinkInfo } from "./link.ts";
export { BpfMap, type MapInfo, type MapOptions, possibleCpus, type UpdateMode } from "./map.ts";
export { mapLayout } from "./map-layout.ts";
export type { MapLayout } from "./map-mismatch.ts";
export { innerMap, setInnerMap } from "./map-of-maps.ts";
export { attachNetfilter, attachNetfilterAsync, type NetfilterAttachment } from "./netfilter.ts";
export type { NetfilterFamily, NetfilterHook } from "./netfilter-names.ts";
export { type Direction, type NetnsFd, netnsCookie } from "./netns.ts";
export { BpfObject, type LoadOptions, type MapSpec, type ProgramSpec } from "./object.ts";
export {
  libbpfVersion,
  type ProbeResult,
  probeBatch,
  probeBpf,
  probeBpffs,
  probeHelper,
  probeMapType,
  probeNetfilter,
  probeNetnsCookie,
  probeProgramType,
  probeRingBuffer,
  probeTcx,
} from "./probes.ts";
export {
  BpfProgram,
  type ProgramInfo,
  type ProgramStatistics,
  type TestRunInput,
  type TestRunResult,
} from "./program.ts";
export { type OnBatch, type OnPackedBatch, RingBuffer, readRingBuffer } from "./ring-buffer.ts";
export type { PackedRecords } from "./ring-records.ts";
export { RunStatistics } from "./run-statistics.ts";
export { attachSkLookup, attachSkLookupAsync, querySkLookup } from "./sk-lookup.ts";
export {
  attachSocketMap,
  detachSocketMap,
  type SocketAttachType,
  type SocketMapAttachment,
  setSocket,
  socketCookie,
} from "./sockets.ts";
export {
  attachTcx,
  attachTcxAsync,
  queryTcx,
  queryTcxAsync,
  type TcxAttachment,
  type TcxHook,
  type TcxNeighbour,
  type TcxPrograms,
} from "./tcx.ts";
export { type MapCodecs, mapCodecs, TypedMap, TypedPerCpuMap } from "./typed-map.ts";
export type { VerifierStatistics } from "./verifier-statistics.ts";
