import { randomUUID } from "node:crypto";
import type { DualStack } from "./addresses.ts";
import { LabHost } from "./lab-host.ts";
import type { PodManifestOptions } from "./manifests.ts";
import type { Namespace } from "./namespace.ts";

/** A pod to be made. */
export interface PodOptions {
  /** Unique on its node; the node's end of its veth is `h-<name>`, so at most 13 characters. */
  readonly name: string;
  /** Kubernetes namespace, default `demo` (`istio-system` for proxies). */
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  /** Default: a random one. Give the uid of a pod that is gone to re-create it. */
  readonly uid?: string;
  /** Which of the node's addresses it gets; default: the next one that no pod of this node ever had. */
  readonly index?: number;
  /** Default: now, at least one second after any earlier pod of the lab, because Kubernetes counts whole seconds. */
  readonly createdAt?: Date;
}

/** A pod of the lab: a network namespace with `eth0`, and what Kubernetes would know about it. */
export class LabPod extends LabHost {
  readonly kubernetesNamespace: string;
  readonly uid: string;
  readonly index: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly createdAt: Date;
  /** What a container runtime would call the sandbox. */
  readonly containerId: string;

  constructor(options: PodOptions & { index: number; createdAt: Date }, namespace: Namespace, addresses: DualStack) {
    super(options.name, namespace, addresses);
    this.kubernetesNamespace = options.namespace ?? "demo";
    this.uid = options.uid ?? randomUUID();
    this.index = options.index;
    this.labels = options.labels ?? { app: options.name };
    this.annotations = options.annotations ?? {};
    this.createdAt = options.createdAt;
    this.containerId = randomUUID().replaceAll("-", "").padEnd(64, "0");
  }

  /** The node's end of the pod's veth. */
  get hostInterface(): string {
    return hostInterface(this.name);
  }

  /** Its Pod object; `overrides` are what a test wants different from a running, Ready pod. */
  manifestOptions(): Omit<PodManifestOptions, "nodeName" | "hostAddresses"> {
    return {
      name: this.name,
      namespace: this.kubernetesNamespace,
      uid: this.uid,
      addresses: [this.addresses[4], this.addresses[6]],
      labels: this.labels,
      annotations: this.annotations,
      createdAt: this.createdAt,
    };
  }
}

export const hostInterface = (name: string): string => `h-${name}`;
