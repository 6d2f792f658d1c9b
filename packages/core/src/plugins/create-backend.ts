import { z } from "zod";
import type { Call, Host, NodePolicy, Redirection, RedirectionBackend } from "../backend/contract.ts";
import type { Plugin } from "../backend/define-plugin.ts";
import { CoreError } from "../errors.ts";
import type { Logger } from "../logger.ts";
import { BOUNDS, type Bounds, boundedCall } from "./bounded-call.ts";
import type { PluginVerb } from "./deadlines.ts";
import { PluginError } from "./plugin-error.ts";

export interface PluginHost {
  /** `backends` of the configuration: each plugin's own part, by its name. */
  readonly backends: Readonly<Record<string, unknown>>;
  readonly policy: NodePolicy;
  readonly host: Host;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** Is told of every call that failed. */
  readonly failed?: (error: PluginError) => void;
  readonly bounds?: Bounds;
}

/**
 * Makes a plugin's backend, with a context whose log lines carry the plugin's name. Every call has a deadline, and whatever the backend throws later on comes
 * back as a {@link PluginError}. Throws ERR_PLUGIN_CONFIG_INVALID, or a PluginError when `create` itself throws.
 */
export async function createBackend(plugin: Plugin, pluginHost: PluginHost): Promise<RedirectionBackend> {
  const { backends, policy, host, log, signal, failed, bounds = BOUNDS } = pluginHost;
  const { name } = plugin;
  const parsed = await plugin.config.safeParseAsync(backends[name] ?? {});
  if (!parsed.success) {
    throw new CoreError("ERR_PLUGIN_CONFIG_INVALID", `backends.${name}: ${z.prettifyError(parsed.error)}`, {
      cause: parsed.error,
    });
  }
  const guard: Guard = async (verb, doing, work) => {
    try {
      return await boundedCall(name, verb, doing, work, bounds);
    } catch (error) {
      if (error instanceof PluginError) failed?.(error);
      throw error;
    }
  };
  try {
    const backend = plugin.create({ config: parsed.data, policy, log: log.child({ plugin: name }), host, signal });
    return guardedBackend(guard, backend);
  } catch (cause) {
    throw cause instanceof PluginError ? cause : new PluginError(name, "create", cause);
  }
}

type Guard = <T>(verb: PluginVerb, doing: string, work: (call: Call) => Promise<T>) => Promise<T>;

function guardedBackend(guard: Guard, backend: RedirectionBackend): RedirectionBackend {
  const traces = backend.traces?.bind(backend);
  return {
    probe: () => guard("probe", "probe", (call) => backend.probe(call)),
    open: () => guard("open", "open", async (call) => guardedRedirection(guard, await backend.open(call))),
    ...guardedShadow(guard, backend),
    ...(traces && { traces: (namespaces) => guard("traces", "look for traces", (call) => traces(namespaces, call)) }),
  };
}

/** What a backend may have besides, without redirecting: each only where it has. */
function guardedShadow(guard: Guard, backend: RedirectionBackend): Partial<RedirectionBackend> {
  const plan = backend.plan?.bind(backend);
  const openShadow = backend.openShadow?.bind(backend);
  const removeShadow = backend.removeShadow?.bind(backend);
  return {
    ...(plan && { plan: (wanted) => guard("plan", "plan", (call) => plan(wanted, call)) }),
    ...(openShadow && { openShadow: () => guard("openShadow", "open a shadow", (call) => openShadow(call)) }),
    ...(removeShadow && { removeShadow: () => guard("removeShadow", "remove a shadow", (call) => removeShadow(call)) }),
  };
}

function guardedRedirection(guard: Guard, redirection: Redirection): Redirection {
  const explain = redirection.explain?.bind(redirection);
  const observeWorkloads = redirection.observeWorkloads?.bind(redirection);
  const usedProxies = redirection.usedProxies?.bind(redirection);
  return {
    ...guardedHandover(guard, redirection),
    ...(usedProxies && {
      usedProxies: () => guard("usedProxies", "tell the proxies in use", (call) => usedProxies(call)),
    }),
    useProxies: (proxies) => guard("useProxies", "use proxies", (call) => redirection.useProxies(proxies, call)),
    useNode: (node) => guard("useNode", "use node", (call) => redirection.useNode(node, call)),
    apply: (workload) =>
      guard("apply", `apply ${workload.namespace}/${workload.name}`, (call) => redirection.apply(workload, call)),
    remove: (uid) => guard("remove", `remove ${uid}`, (call) => redirection.remove(uid, call)),
    observe: () => guard("observe", "observe", (call) => redirection.observe(call)),
    ...(explain && {
      explain: (flow) => guard("explain", `explain a flow of ${flow.uid}`, (call) => explain(flow, call)),
    }),
    ...(observeWorkloads && {
      observeWorkloads: (uids) =>
        guard("observeWorkloads", "observe workloads", (call) => observeWorkloads(uids, call)),
    }),
    uninstall: () => guard("uninstall", "uninstall", (call) => redirection.uninstall(call)),
    [Symbol.asyncDispose]: () => guard("close", "close", async () => redirection[Symbol.asyncDispose]()),
  };
}

/** What a redirection may have besides: each only where it has. */
function guardedHandover(guard: Guard, redirection: Redirection): Partial<Redirection> {
  const has = (verb: "handOver" | "carryOn" | "withdraw") => redirection[verb] !== undefined;
  const carryOn: Redirection["carryOn"] = (uid) =>
    guard("carryOn", `carry on with ${uid}`, async (call) => redirection.carryOn?.(uid, call));
  const handOver: Redirection["handOver"] = (uid, takeOver) =>
    guard("handOver", `hand over ${uid}`, async (call) => redirection.handOver?.(uid, takeOver, call));
  const withdraw: Redirection["withdraw"] = (proxies) =>
    guard("withdraw", "withdraw", async (call) => (await redirection.withdraw?.(proxies, call)) ?? "gone");
  return {
    ...(has("carryOn") && { carryOn }),
    ...(has("handOver") && { handOver }),
    ...(has("withdraw") && { withdraw }),
  };
}
