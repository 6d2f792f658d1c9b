import { copyFileSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { NAMESPACE, type Rendering, render } from "@millrace/deploy";
import type { ApiClient, StoredObject, WantedObject } from "../control-plane/api-client.ts";
import { makeNamespace } from "./make-namespace.ts";
import { podObject } from "./objects.ts";

/** The chart's names. */
export const AGENT = "millrace-agent";

/** The chart's objects, as its user would apply them. Its DaemonSet runs nothing here. */
export const chartObjects = (rendering: Rendering = {}): WantedObject[] => render(rendering) as WantedObject[];

/** An agent's pod in the API server with the chart's account, and on disk what the kubelet would mount into it. */
export class AgentAccount {
  readonly kubeconfig: string;
  /** With `token` and `ca.crt`, as it would be mounted into the pod. */
  readonly directory: string;
  readonly #tokenFile: string;
  readonly #api: ApiClient;
  readonly #nodeName: string;
  #pods = 0;

  private constructor(api: ApiClient, nodeName: string, directory: string) {
    this.#api = api;
    this.#nodeName = nodeName;
    this.directory = directory;
    this.kubeconfig = join(directory, "kubeconfig");
    this.#tokenFile = join(directory, "token");
  }

  /** Applies the chart, and makes the agent's pod. */
  static async create(
    api: ApiClient,
    options: { readonly nodeName: string; readonly directory: string; readonly url: string; readonly ca: string },
    rendering: Rendering = {},
  ): Promise<AgentAccount> {
    await makeNamespace(api, NAMESPACE, { "pod-security.kubernetes.io/enforce": "privileged" });
    for (const object of chartObjects(rendering)) await api.apply(object);
    const account = new AgentAccount(api, options.nodeName, options.directory);
    copyFileSync(options.ca, join(options.directory, "ca.crt"));
    account.writeKubeconfig(options.url, options.ca);
    account.writeToken(await account.requestToken(await account.createPod()));
    return account;
  }

  /** Another pod of the DaemonSet on this node. */
  createPod(): Promise<StoredObject> {
    const name = `${AGENT}-${++this.#pods}`;
    return this.#api.create(
      podObject({
        name,
        namespace: NAMESPACE,
        nodeName: this.#nodeName,
        labels: { "app.kubernetes.io/name": AGENT },
        serviceAccountName: AGENT,
        hostNetwork: true,
      }),
    );
  }

  /** A token as the kubelet asks for it: bound to the pod, and so to its node. */
  requestToken(pod: StoredObject): Promise<string> {
    return this.#api.requestToken(NAMESPACE, AGENT, pod);
  }

  /** Replaces the file at once, as the kubelet does. */
  writeToken(token: string): void {
    writeFileSync(`${this.#tokenFile}.new`, token, { mode: 0o600 });
    renameSync(`${this.#tokenFile}.new`, this.#tokenFile);
  }

  get token(): string {
    return readFileSync(this.#tokenFile, "utf8");
  }

  /** `tokenFile` is what the client library makes of a pod's service account. `ca` is a file. */
  writeKubeconfig(url: string, ca: string): void {
    const user = { "auth-provider": { name: "tokenFile", config: { tokenFile: this.#tokenFile } } };
    writeFileSync(
      this.kubeconfig,
      JSON.stringify({
        clusters: [{ name: "c", cluster: { server: url, "certificate-authority": ca } }],
        users: [{ name: "u", user }],
        contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
        "current-context": "x",
      }),
    );
  }
}
