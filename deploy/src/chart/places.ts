import { readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";

/** From `src/chart` and `dist/chart` alike. */
export const DEPLOY = fileURLToPath(new URL("../../", import.meta.url));
export const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
export const CHART = join(DEPLOY, "chart/millrace");
export const MANIFESTS = join(DEPLOY, "manifests");
export const VALUES_SCHEMA = join(CHART, "values.schema.json");

/** Where the chart is installed unless somebody says otherwise; the agent's own defaults know the name. */
export const NAMESPACE = "millrace-system";

/** Names of the profiles, one values file each. */
export const PROFILES: readonly string[] = readdirSync(join(CHART, "profiles"))
  .map((file) => basename(file, ".yaml"))
  .sort();

export function profileFile(profile: string): string {
  return join(CHART, "profiles", `${profile}.yaml`);
}
