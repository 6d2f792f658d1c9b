import type { Plugin, Probe, RedirectionBackend } from "@millrace/core";
import { errorCode, selectBackend } from "@millrace/core/internal";
import { destination } from "pino";
import { type Backends, loadBackends } from "../backends/backends.ts";
import type { Setup } from "../cli/settings-options.ts";
import { installStatePath } from "../install/install-places.ts";
import { describeError } from "../logging/describe-error.ts";
import { createLogger } from "../logging/logger.ts";
import type { BackendDiagnosis, Diagnosis } from "./diagnosis.ts";
import { checkHost } from "./host-checks.ts";

/**
 * Looks at the host and probes every backend. Changes nothing.
 * Throws for mistakes of configuration only (`ERR_CONFIG_INVALID`, `ERR_REDIRECT_MODE_UNKNOWN`, `ERR_PLUGIN_…`).
 */
export async function diagnose(setup: Setup, signal: AbortSignal): Promise<Diagnosis> {
  const { redirectMode, paths, install, sockets } = setup.configuration;
  const log = createLogger({ format: "text", level: "error", output: destination({ fd: 2, sync: true }) });
  const installed = await loadBackends(setup, log, signal);
  const probed = new Map<Plugin, BackendDiagnosis>();
  for (const plugin of installed.plugins) probed.set(plugin, await probe(plugin, installed));
  // The agent's own selection, on what was just found.
  const create = (plugin: Plugin) => asFound(probed.get(plugin));
  let selection: Diagnosis["selection"];
  try {
    const { selected } = await selectBackend({ redirectMode, plugins: installed.plugins, create });
    selection = { mode: redirectMode, backend: selected.backend, reason: selected.reason };
  } catch (error) {
    if (errorCode(error) !== "ERR_NO_CAPABLE_BACKEND") throw error;
    selection = { mode: redirectMode, reason: describeError(error).message };
  }
  const { cniConfDir, cniBinDir } = install;
  const places = {
    bpffs: paths.bpffs,
    adminSocket: sockets.admin,
    cniConfDir,
    cniBinDir,
    installState: installStatePath(setup.configuration),
  };
  return { host: await checkHost(places), backends: [...probed.values()], selection };
}

async function probe(plugin: Plugin, { create }: Backends): Promise<BackendDiagnosis> {
  const { name, description } = plugin;
  try {
    return { name, description, probe: await create(plugin).probe() };
  } catch (error) {
    const { code = "ERR_UNEXPECTED", message } = describeError(error);
    return { name, description, error: { code, message } };
  }
}

/** A backend that answers with what its probe found before. */
function asFound(diagnosis: BackendDiagnosis | undefined): RedirectionBackend {
  return {
    probe: async (): Promise<Probe> => {
      if (diagnosis?.probe !== undefined) return diagnosis.probe;
      throw new Error(diagnosis?.error?.message ?? "not probed");
    },
    open: () => Promise.reject(new Error("the doctor opens nothing")),
  };
}
