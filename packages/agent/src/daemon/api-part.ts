import type { Configuration, Part } from "@millrace/core/internal";
import { KubernetesApi } from "@millrace/watchers";
import { Started } from "./started.ts";

/** The one connection to the API server, for whoever asks or tells it something; it is opened when somebody first does. */
export class ApiPart implements Part {
  readonly name = "kubernetes api";
  readonly #configuration: Configuration;
  readonly #api = new Started<KubernetesApi>("the Kubernetes API");

  constructor(configuration: Configuration) {
    this.#configuration = configuration;
  }

  get enabled(): boolean {
    return this.#configuration.kubernetes.enabled;
  }

  get api(): KubernetesApi {
    return this.#api.value;
  }

  start(): void {
    if (!this.enabled) return;
    const { kubeconfig, watch } = this.#configuration.kubernetes;
    const timing = { watchMs: watch.timeoutSeconds * 1000, silenceMs: watch.silenceSeconds * 1000 };
    this.#api.set(new KubernetesApi({ kubeconfig, timing }));
  }

  stop(): void {
    this.#api.clear()?.[Symbol.dispose]();
  }
}
