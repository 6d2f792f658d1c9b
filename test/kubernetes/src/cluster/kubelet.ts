import type { LabNode, LabPod, PodOptions } from "@millrace/conformance";
import type { ApiClient, ObjectName, StoredObject } from "../control-plane/api-client.ts";
import { podObject, runningStatus } from "./objects.ts";

/**
 * The lab's part of a node: pods whose objects the API server has, and whose networks the lab makes. An object is there first, as when
 * the scheduler has bound it; then the network; then the status.
 */
export class Kubelet {
  readonly #node: LabNode;
  readonly #api: ApiClient;

  constructor(node: LabNode, api: ApiClient) {
    this.#node = node;
    this.#api = api;
  }

  async runPod(options: PodOptions): Promise<LabPod> {
    const [pod] = await this.runPods(options);
    return pod;
  }

  /** Many at once: one step of the lab for all of their networks. */
  async runPods<const Wanted extends readonly PodOptions[]>(
    ...wanted: Wanted
  ): Promise<{ [Each in keyof Wanted]: LabPod }> {
    const stored = await Promise.all(wanted.map((options) => this.createObject(options)));
    const pods = await this.#node.addPods(
      ...wanted.map((options, index) => ({ ...options, uid: (stored[index] as StoredObject).metadata.uid })),
    );
    await Promise.all(pods.map((pod) => this.reportRunning(pod)));
    return pods as { [Each in keyof Wanted]: LabPod };
  }

  /** As a container runtime with our CNI plugin makes it: the agent is asked between the network and the status, and the pod waits for it. */
  async runPodByCni(options: PodOptions): Promise<LabPod> {
    const { uid } = (await this.createObject(options)).metadata;
    const pod = await this.#node.addPod({ ...options, uid });
    await this.#node.cni("ADD", pod);
    await this.reportRunning(pod);
    return pod;
  }

  /** Only the object: Pending. */
  createObject({ name, namespace = "demo", labels, annotations }: PodOptions): Promise<StoredObject> {
    return this.#api.create(podObject({ name, namespace, labels, annotations, nodeName: this.#node.name }));
  }

  async reportRunning(pod: LabPod): Promise<void> {
    const { addresses } = this.#node;
    const status = runningStatus([addresses[4], addresses[6]], [pod.addresses[4], pod.addresses[6]]);
    await this.#api.patch(nameOf(pod), status, { kind: "strategic", subresource: "status" });
  }

  /** As after a grace period: the network goes, and then the object. */
  async removePod(pod: LabPod): Promise<void> {
    await this.#node.removePod(pod.name);
    await this.#api.delete(nameOf(pod));
  }
}

export const podName = ({
  name,
  namespace,
}: {
  readonly name: string;
  readonly namespace?: string | undefined;
}): ObjectName => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace },
});

export const nameOf = ({ name, kubernetesNamespace }: LabPod): ObjectName =>
  podName({ name, namespace: kubernetesNamespace });
