import { z } from "zod";

const lines = z.array(z.string());

/** What one network namespace had. */
const namespaceSchema = z.strictObject({
  inode: z.int(),
  isNode: z.boolean(),
  links: z.array(
    z.strictObject({ index: z.int(), name: z.string(), clsact: z.enum(["none", "empty", "used", "unknown"]) }),
  ),
  /** Values of what a backend may write, by path below `/proc/sys`. */
  sysctls: z.record(z.string(), z.string()),
  /** What others have there, one line each, to tell what changed meanwhile. Never with anything that carries our marks. */
  objects: z.strictObject({
    devices: lines,
    filters: lines,
    rules: lines,
    routes: lines,
    sets: lines,
    tables: lines,
  }),
});

const kernelSchema = z.strictObject({
  /** Nothing of a kernel outlives its boot. */
  bootId: z.string(),
  takenAt: z.string(),
  /** Taken when something of ours was there already, as after an upgrade from a version without snapshots: which qdiscs were ours nobody knows. */
  late: z.boolean(),
  namespaces: z.array(namespaceSchema),
  /** First level of the BPF file system. */
  pins: lines,
});

const cniFileSchema = z.strictObject({
  name: z.string(),
  sha256: z.string(),
  mode: z.int(),
  uid: z.int(),
  gid: z.int(),
  /** Of a single plugin: digest of the list that libcni makes of it. */
  asList: z.string().optional(),
});

const filesSchema = z.strictObject({
  takenAt: z.string(),
  /** Undefined: the directory was not there. */
  config: z.strictObject({ directory: z.string(), files: z.array(cniFileSchema).optional() }),
  plugin: z.strictObject({ path: z.string(), sha256: z.string().optional() }),
  /** Directories of ours that were not there. */
  missingDirectories: lines,
});

export const snapshotSchema = z.strictObject({
  version: z.literal(1),
  kernel: kernelSchema,
  /** Absent where the CNI plugin was installed before the snapshot. */
  files: filesSchema.optional(),
});

/** The node as it was before Millrace did anything to it. */
export type NodeSnapshot = z.output<typeof snapshotSchema>;
export type KernelSnapshot = z.output<typeof kernelSchema>;
export type NamespaceSnapshot = z.output<typeof namespaceSchema>;
export type FilesSnapshot = z.output<typeof filesSchema>;
