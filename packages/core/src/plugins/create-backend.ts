import { z } from "zod";
import type { Host, NodePolicy, Redirection, RedirectionBackend } from "../backend/contract.ts";
import type { Plugin } from "../backend/define-plugin.ts";
import { CoreError } from "../errors.ts";
import type { Logger } from "../logger.ts";
import { PluginError } from "./plugin-error.ts";

export interface PluginHost {
  /** `backends` of the configuration: each plugin's own part, by its name. */
  readonly backends: Readonly<Record<string, unknown>>;
  readonly policy: NodePolicy;
  readonly host: Host;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/**
 * Makes a plugin's backend, with a context whose log lines carry the plugin's name. Whatever the backend throws later on comes back as a
 * {@link PluginError}. Throws ERR_PLUGIN_CONFIG_INVALID, or a PluginError when `create` itself throws.
 */
export function createBackend(plugin: Plugin, { backends, policy, host, log, signal }: PluginHost): RedirectionBackend {
  const parsed = plugin.config.safeParse(backends[plugin.name] ?? {});
  if (!parsed.success) {
    throw new CoreError("ERR_PLUGIN_CONFIG_INVALID", `backends.${plugin.name}: ${z.prettifyError(parsed.error)}`, {
      cause: parsed.error,
    });
  }
  let backend: RedirectionBackend;
  try {
    backend = plugin.create({ config: parsed.data, policy, log: log.child({ plugin: plugin.name }), host, signal });
  } catch (cause) {
    throw new PluginError(plugin.name, "create", cause);
  }
  return guardedBackend(plugin.name, backend);
}

function guardedBackend(name: string, backend: RedirectionBackend): RedirectionBackend {
  const traces = backend.traces?.bind(backend);
  return {
    probe: () => guarded(name, "probe", () => backend.probe()),
    open: () => guarded(name, "open", async () => guardedRedirection(name, await backend.open())),
    ...guardedShadow(name, backend),
    ...(traces && { traces: (namespaces) => guarded(name, "look for traces", () => traces(namespaces)) }),
  };
}

/** What a backend may have besides, without redirecting: each only where it has. */
function guardedShadow(name: string, backend: RedirectionBackend): Partial<RedirectionBackend> {
  const plan = backend.plan?.bind(backend);
  const openShadow = backend.openShadow?.bind(backend);
  const removeShadow = backend.removeShadow?.bind(backend);
  return {
    ...(plan && { plan: (wanted) => guarded(name, "plan", () => plan(wanted)) }),
    ...(openShadow && { openShadow: () => guarded(name, "open a shadow", () => openShadow()) }),
    ...(removeShadow && { removeShadow: () => guarded(name, "remove a shadow", () => removeShadow()) }),
  };
}

function guardedRedirection(name: string, redirection: Redirection): Redirection {
  const explain = redirection.explain?.bind(redirection);
  const observeWorkloads = redirection.observeWorkloads?.bind(redirection);
  const usedProxies = redirection.usedProxies?.bind(redirection);
  return {
    ...guardedHandover(name, redirection),
    ...(usedProxies && { usedProxies: () => guarded(name, "tell the proxies in use", () => usedProxies()) }),
    useProxies: (proxies) => guarded(name, "use proxies", () => redirection.useProxies(proxies)),
    useNode: (node) => guarded(name, "use node", () => redirection.useNode(node)),
    apply: (workload) =>
      guarded(name, `apply ${workload.namespace}/${workload.name}`, () => redirection.apply(workload)),
    remove: (uid) => guarded(name, `remove ${uid}`, () => redirection.remove(uid)),
    observe: () => guarded(name, "observe", () => redirection.observe()),
    ...(explain && { explain: (flow) => guarded(name, `explain a flow of ${flow.uid}`, () => explain(flow)) }),
    ...(observeWorkloads && {
      observeWorkloads: (uids) => guarded(name, "observe workloads", () => observeWorkloads(uids)),
    }),
    uninstall: () => guarded(name, "uninstall", () => redirection.uninstall()),
    [Symbol.asyncDispose]: () => guarded(name, "close", async () => redirection[Symbol.asyncDispose]()),
  };
}

/** What a redirection may have besides: each only where it has. */
function guardedHandover(name: string, redirection: Redirection): Partial<Redirection> {
  const has = (verb: "handOver" | "carryOn" | "withdraw") => redirection[verb] !== undefined;
  const carryOn: Redirection["carryOn"] = (uid) =>
    guarded(name, `carry on with ${uid}`, async () => redirection.carryOn?.(uid));
  const handOver: Redirection["handOver"] = (uid, takeOver) =>
    guarded(name, `hand over ${uid}`, async () => redirection.handOver?.(uid, takeOver));
  const withdraw: Redirection["withdraw"] = (proxies) =>
    guarded(name, "withdraw", async () => (await redirection.withdraw?.(proxies)) ?? "gone");
  return {
    ...(has("carryOn") && { carryOn }),
    ...(has("handOver") && { handOver }),
    ...(has("withdraw") && { withdraw }),
  };
}

/** Also what a plugin throws before it returns a promise. */
async function guarded<T>(plugin: string, doing: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw new PluginError(plugin, doing, cause);
  }
}
