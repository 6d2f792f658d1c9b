import { existsSync, readFileSync } from "node:fs";
import { release } from "node:os";
import { gunzipSync } from "node:zlib";

/** Whether the kernel has a part that can be a module, as far as the host tells; undefined when it does not tell. */
export function kernelHas(
  option: string,
  module: string,
): { readonly has: boolean; readonly source: string } | undefined {
  if (existsSync(`/sys/module/${module}`)) return { has: true, source: `/sys/module/${module}` };
  const config = readConfig();
  if (config === undefined) return undefined;
  return { has: new RegExp(`^CONFIG_${option}=[ym]$`, "m").test(config.text), source: config.source };
}

function readConfig(): { text: string; source: string } | undefined {
  if (existsSync("/proc/config.gz")) {
    return { text: gunzipSync(readFileSync("/proc/config.gz")).toString(), source: "/proc/config.gz" };
  }
  const file = `/boot/config-${release()}`;
  return existsSync(file) ? { text: readFileSync(file, "utf8"), source: file } : undefined;
}
