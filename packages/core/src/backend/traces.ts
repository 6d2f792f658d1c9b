/** A network namespace of the node. */
export interface NamespacePlace {
  /** Descriptor, open for as long as the call lasts; undefined: the node's own, which the process runs in. */
  readonly fd: number | undefined;
  /** For people: `node`, or the path of a file that refers to it. */
  readonly name: string;
}

/** Something in the kernel that carries Millrace's marks: names, protocol numbers, Ethernet addresses. */
export interface Trace {
  /** What it is, in the kernel's words: `clsact filter`, `ip rule`, `nft table`. */
  readonly kind: string;
  /** Name of the namespace, or the path of the BPF file system. */
  readonly where: string;
  /** Which one, as the tool that shows it would put it. */
  readonly what: string;
  /** What tells that it is ours: `program app_outbound`, `protocol 77`. */
  readonly mark: string;
  /** It is Millrace's, but where it is attached or held was not found: where several nodes are containers of one machine it may be another node's. */
  readonly elsewhere?: true;
}

/** `ip rule 60: from all fwmark 0x8/0x7f lookup 15102 (node; protocol 77)`. */
export const describeTrace = ({ kind, where, what, mark }: Trace): string => `${kind} ${what} (${where}; ${mark})`;
