/** Values of `enum bpf_map_type`, include/uapi/linux/bpf.h; names as libbpf and bpftool write them. */
export const MAP_TYPES = {
  hash: 1,
  array: 2,
  prog_array: 3,
  perf_event_array: 4,
  percpu_hash: 5,
  percpu_array: 6,
  stack_trace: 7,
  cgroup_array: 8,
  lru_hash: 9,
  lru_percpu_hash: 10,
  lpm_trie: 11,
  array_of_maps: 12,
  hash_of_maps: 13,
  devmap: 14,
  sockmap: 15,
  cpumap: 16,
  xskmap: 17,
  sockhash: 18,
  cgroup_storage: 19,
  reuseport_sockarray: 20,
  percpu_cgroup_storage: 21,
  queue: 22,
  stack: 23,
  sk_storage: 24,
  devmap_hash: 25,
  struct_ops: 26,
  ringbuf: 27,
  inode_storage: 28,
  task_storage: 29,
  bloom_filter: 30,
  user_ringbuf: 31,
  cgrp_storage: 32,
  arena: 33,
} as const;

/** Values of `enum bpf_prog_type`. */
export const PROGRAM_TYPES = {
  socket_filter: 1,
  kprobe: 2,
  sched_cls: 3,
  sched_act: 4,
  tracepoint: 5,
  xdp: 6,
  perf_event: 7,
  cgroup_skb: 8,
  cgroup_sock: 9,
  lwt_in: 10,
  lwt_out: 11,
  lwt_xmit: 12,
  sock_ops: 13,
  sk_skb: 14,
  cgroup_device: 15,
  sk_msg: 16,
  raw_tracepoint: 17,
  cgroup_sock_addr: 18,
  lwt_seg6local: 19,
  lirc_mode2: 20,
  sk_reuseport: 21,
  flow_dissector: 22,
  cgroup_sysctl: 23,
  raw_tracepoint_writable: 24,
  cgroup_sockopt: 25,
  tracing: 26,
  struct_ops: 27,
  ext: 28,
  lsm: 29,
  sk_lookup: 30,
  syscall: 31,
  netfilter: 32,
} as const;

/** Values of `enum bpf_link_type`. */
export const LINK_TYPES = {
  raw_tracepoint: 1,
  tracing: 2,
  cgroup: 3,
  iter: 4,
  netns: 5,
  xdp: 6,
  perf_event: 7,
  kprobe_multi: 8,
  struct_ops: 9,
  netfilter: 10,
  tcx: 11,
  uprobe_multi: 12,
  netkit: 13,
  sockmap: 14,
} as const;

/** Values of `enum bpf_attach_type` that link information of this library can have. */
export const ATTACH_TYPES = {
  flow_dissector: 17,
  sk_lookup: 36,
  tcx_ingress: 46,
  tcx_egress: 47,
  netkit_primary: 54,
  netkit_peer: 55,
} as const;

export type MapType = keyof typeof MAP_TYPES;
export type ProgramType = keyof typeof PROGRAM_TYPES;
export type LinkType = keyof typeof LINK_TYPES;
export type AttachType = keyof typeof ATTACH_TYPES;
/** What a kernel newer than these tables may answer. */
export type UnknownType = `unknown(${number})`;

/** The name that a table gives a number. */
export function nameOf<Name extends string>(table: Readonly<Record<Name, number>>, value: number): Name | UnknownType {
  for (const name in table) if (table[name] === value) return name;
  return `unknown(${value})`;
}
