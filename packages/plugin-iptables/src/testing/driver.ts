import type { LabNode, LabPod } from "@millrace/conformance";
import type { NodePolicy, NodeProxy, PodInterface, Workload } from "@millrace/core";
import { BackendProcess } from "@millrace/host/testing";
import type { z } from "zod";
import type { configSchema } from "../config.ts";

export interface DriverOptions {
  /** Module of another backend; default: this one. */
  readonly plugin?: string;
  readonly config?: z.input<typeof configSchema>;
  readonly policy?: Partial<NodePolicy>;
  /** Put before the node command: env(1), for instance. */
  readonly wrap?: readonly string[];
}

/** The backend in a process of its own on a node of the lab. */
export type Driver = BackendProcess;
export const Driver = {
  /** Not open yet. */
  start({ namespace, paths }: Pick<LabNode, "namespace" | "paths">, options: DriverOptions = {}): Driver {
    const { plugin: module = "../index.ts", config, policy, wrap } = options;
    const host = { bpffs: paths.bpffs, journal: paths.journal };
    const settings = { module, from: import.meta.url, config, policy, host };
    return new BackendProcess([`--net=${namespace.path}`], settings, wrap);
  },
  open: (node: LabNode, options: DriverOptions = {}): Promise<Driver> => Driver.start(node, options).open(),
};

export async function workloadOf(pod: LabPod, more: Partial<Workload> = {}): Promise<Workload> {
  return {
    uid: pod.uid,
    namespace: pod.kubernetesNamespace,
    name: pod.name,
    addresses: [pod.addresses[4], pod.addresses[6]],
    interface: await interfaceOf(pod),
    enrolExisting: "drain",
    dnsCapture: false,
    exclusions: { outboundPorts: [], outboundCidrs: [], inboundPorts: [], inboundCidrs: [] },
    ...more,
  };
}

export async function proxyOf(pod: LabPod): Promise<NodeProxy> {
  const { uid, namespace, addresses } = pod;
  return {
    uid,
    key: `${uid}@${namespace.inode}`,
    namespace: pod.kubernetesNamespace,
    name: pod.name,
    addresses: [addresses[4], addresses[6]],
    interface: await interfaceOf(pod),
  };
}

async function interfaceOf({ namespace, hostInterface: hostName }: LabPod): Promise<PodInterface> {
  const [inner] = JSON.parse(await namespace.runChecked("ip", ["-j", "link", "show", "eth0"]));
  return {
    netns: namespace.path,
    netnsInode: namespace.inode,
    name: "eth0",
    mac: inner.address,
    hostName,
    hostIndex: inner.link_index,
  };
}
