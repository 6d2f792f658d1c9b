import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";

/** A Kubernetes object as `kubectl get -o yaml` prints it. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly [key: string]: unknown };
  readonly [key: string]: unknown;
}

export interface PodManifestOptions {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly nodeName: string;
  /** IPs of the node, first one first. */
  readonly hostAddresses: readonly string[];
  readonly addresses: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly hostNetwork?: boolean;
  /** Default `Running`. */
  readonly phase?: "Pending" | "Running" | "Succeeded" | "Failed" | "Unknown";
  /** Default: true while the phase is `Running`. */
  readonly ready?: boolean;
  /** When it is being deleted. */
  readonly deletedAt?: Date;
  readonly createdAt: Date;
}

/** Kubernetes prints whole seconds. */
const timestamp = (date: Date): string => date.toISOString().replace(/\.\d{3}Z$/, "Z");

/** A Pod (core/v1) with the fields a running one has. */
export function podManifest(options: PodManifestOptions): Manifest {
  const created = timestamp(options.createdAt);
  const phase = options.phase ?? "Running";
  const ready = options.ready ?? phase === "Running";
  const condition = (type: string, status: boolean) => ({
    lastProbeTime: null,
    lastTransitionTime: created,
    status: status ? "True" : "False",
    type,
  });
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      ...(options.annotations === undefined ? {} : { annotations: options.annotations }),
      creationTimestamp: created,
      ...(options.deletedAt === undefined
        ? {}
        : { deletionGracePeriodSeconds: 30, deletionTimestamp: timestamp(options.deletedAt) }),
      labels: options.labels ?? { app: options.name },
      name: options.name,
      namespace: options.namespace,
      resourceVersion: String(1000 + (options.createdAt.getTime() % 100_000)),
      uid: options.uid,
    },
    spec: {
      containers: [
        {
          image: "registry.example/demo:1",
          imagePullPolicy: "IfNotPresent",
          name: "main",
          resources: {},
          terminationMessagePath: "/dev/termination-log",
          terminationMessagePolicy: "File",
        },
      ],
      dnsPolicy: "ClusterFirst",
      enableServiceLinks: true,
      ...(options.hostNetwork === true ? { hostNetwork: true } : {}),
      nodeName: options.nodeName,
      preemptionPolicy: "PreemptLowerPriority",
      priority: 0,
      restartPolicy: "Always",
      schedulerName: "default-scheduler",
      securityContext: {},
      serviceAccount: "default",
      serviceAccountName: "default",
      terminationGracePeriodSeconds: 30,
    },
    status: {
      conditions: [
        condition("Initialized", true),
        condition("Ready", ready),
        condition("ContainersReady", ready),
        condition("PodScheduled", true),
      ],
      hostIP: options.hostAddresses[0],
      hostIPs: options.hostAddresses.map((ip) => ({ ip })),
      phase,
      ...(options.addresses.length === 0
        ? {}
        : { podIP: options.addresses[0], podIPs: options.addresses.map((ip) => ({ ip })) }),
      qosClass: "BestEffort",
      startTime: created,
    },
  };
}

/** A Namespace (core/v1) with these labels. */
export function namespaceManifest(name: string, labels: Readonly<Record<string, string>> = {}): Manifest {
  return {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: {
      creationTimestamp: "2026-01-01T00:00:00Z",
      labels: { "kubernetes.io/metadata.name": name, ...labels },
      name,
      resourceVersion: "900",
      uid: `00000000-0000-4000-8000-${Buffer.from(name).toString("hex").padEnd(12, "0").slice(0, 12)}`,
    },
    spec: { finalizers: ["kubernetes"] },
    status: { phase: "Active" },
  };
}

/** A Node (core/v1) with its addresses. */
export function nodeManifest(name: string, addresses: readonly string[]): Manifest {
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: {
      creationTimestamp: "2026-01-01T00:00:00Z",
      labels: { "kubernetes.io/hostname": name, "kubernetes.io/os": "linux" },
      name,
      resourceVersion: "901",
      uid: `00000000-0000-4000-9000-${Buffer.from(name).toString("hex").padEnd(12, "0").slice(0, 12)}`,
    },
    spec: {},
    status: {
      addresses: [
        ...addresses.map((address) => ({ address, type: "InternalIP" })),
        { address: name, type: "Hostname" },
      ],
      conditions: [{ status: "True", type: "Ready" }],
    },
  };
}

/**
 * A directory of manifests, one object per file, named `<kind>-<namespace>-<name>.yaml`. A reader sees the old or the new
 * object, never half of one: each file is written beside the directory's visible names and renamed into place.
 */
export class ManifestDirectory {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
    mkdirSync(path, { recursive: true });
  }

  apply(...manifests: readonly Manifest[]): void {
    for (const manifest of manifests) {
      const file = this.#file(manifest);
      const temporary = join(this.path, `.${file}.new`);
      writeFileSync(temporary, stringify(manifest, { lineWidth: 0 }));
      renameSync(temporary, join(this.path, file));
    }
  }

  /** Deletes the object's file; deleting what is not there is success. */
  delete(manifest: Pick<Manifest, "kind" | "metadata">): void {
    rmSync(join(this.path, this.#file(manifest)), { force: true });
  }

  list(): string[] {
    return readdirSync(this.path)
      .filter((name) => name.endsWith(".yaml") && !name.startsWith("."))
      .sort();
  }

  #file({ kind, metadata }: Pick<Manifest, "kind" | "metadata">): string {
    const scope = metadata.namespace === undefined ? "" : `${metadata.namespace}-`;
    return `${kind.toLowerCase()}-${scope}${metadata.name}.yaml`;
  }
}
