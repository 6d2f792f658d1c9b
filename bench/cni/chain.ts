import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { join } from "node:path";

/** A network as a `.conflist` has it: CNI SPEC, section 1. */
export interface NetworkList {
  readonly cniVersion: string;
  readonly name: string;
  readonly plugins: readonly { readonly type: string; readonly [key: string]: unknown }[];
}

/** One interface of one pod. */
export interface Attachment {
  readonly containerId: string;
  /** Path of the pod's network namespace. */
  readonly netns: string;
  /** `CNI_ARGS`: which pod of Kubernetes it is. */
  readonly args: string;
}

export type Command = "ADD" | "DEL" | "VERSION";

/** Milliseconds: of all plugins from the first one's start on, and of the last one, which is ours. */
export interface Times {
  readonly chain: number;
  readonly own: number;
}

/**
 * Executes the plugins of a network as libcni does (libcni/api.go, `AddNetworkList` and `DelNetworkList`): one after the other, each with the
 * result of the one before it, backwards for DEL. Synchronously: a plugin's time runs from before its process is made until it is
 * waited for, which is what a runtime waits for it, and no event loop is in between.
 */
export class Chain {
  readonly #network: NetworkList;
  readonly #cniPath: readonly string[];
  /** What ADD gave for each container: DEL hands it in again. */
  readonly #results = new Map<string, object>();
  readonly #first: object | undefined;

  /** `cniPath`: directories to look for plugins in. `first`: the result that the first plugin is handed, if it is ours alone. */
  constructor(network: NetworkList, cniPath: readonly string[], first?: object) {
    this.#network = network;
    this.#cniPath = cniPath;
    this.#first = first;
  }

  /** Throws with what a plugin printed when it fails. */
  run(command: Command, attachment: Attachment): Times {
    const plugins = command === "DEL" ? this.#network.plugins.toReversed() : this.#network.plugins;
    let result = command === "DEL" ? this.#results.get(attachment.containerId) : this.#first;
    let own = 0;
    const started = performance.now();
    for (const plugin of plugins) {
      const began = performance.now();
      const output = this.#execute(command, plugin, attachment, result);
      own = performance.now() - began;
      if (command === "ADD") result = JSON.parse(output);
    }
    const chain = performance.now() - started;
    if (command === "ADD" && result !== undefined) this.#results.set(attachment.containerId, result);
    return { chain, own };
  }

  #execute(command: Command, plugin: NetworkList["plugins"][number], attachment: Attachment, prevResult?: object) {
    const { cniVersion, name } = this.#network;
    const { containerId, netns, args } = attachment;
    const { status, stdout, stderr, error } = spawnSync(this.#find(plugin.type), {
      encoding: "utf8",
      input: JSON.stringify({ ...plugin, cniVersion, name, ...(prevResult === undefined ? {} : { prevResult }) }),
      env: {
        CNI_COMMAND: command,
        CNI_CONTAINERID: containerId,
        CNI_NETNS: netns,
        CNI_IFNAME: "eth0",
        CNI_ARGS: args,
        CNI_PATH: this.#cniPath.join(":"),
      },
    });
    if (error !== undefined) throw error;
    if (status !== 0) throw new Error(`${command} of ${plugin.type} ended with ${status}: ${stdout}${stderr}`);
    return stdout;
  }

  #find(type: string): string {
    const paths = this.#cniPath.map((directory) => join(directory, type));
    const found = paths.find((path) => isProgram(path));
    if (found === undefined) throw new Error(`no plugin ${type} in ${this.#cniPath.join(", ")}: make setup brings it`);
    return found;
  }
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
