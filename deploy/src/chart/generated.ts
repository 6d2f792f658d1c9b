import { join } from "node:path";
import { valuesJsonSchema } from "./json-schema.ts";
import { MANIFESTS, VALUES_SCHEMA } from "./places.ts";
import { type Rendering, renderText } from "./render.ts";

const NOTICE =
  "# Rendered from deploy/chart/millrace by `make manifests`; do not edit. How to apply it is in docs/installing.md.\n";

/** Plain manifests for those who use no Helm, and the values each is rendered with. */
export const PLAIN_MANIFESTS: Readonly<Record<string, Rendering>> = {
  "millrace.yaml": { values: { "namespace.create": true } },
  "millrace-with-node-proxy.yaml": { values: { "namespace.create": true, "nodeProxy.enabled": true } },
};

/** Files that are made and not written: path → how. */
export const GENERATED: ReadonlyMap<string, () => string> = new Map([
  [VALUES_SCHEMA, () => `${JSON.stringify(valuesJsonSchema(), null, 2)}\n`],
  ...Object.entries(PLAIN_MANIFESTS).map(
    ([file, rendering]) => [join(MANIFESTS, file), () => NOTICE + renderText(rendering)] as const,
  ),
]);
