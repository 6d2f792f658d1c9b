import { readFileSync } from "node:fs";
import { z } from "zod";

// Beside `src` and beside `dist` alike.
const manifest = new URL("../package.json", import.meta.url);

/** The version of the `millrace` command and agent. */
export const VERSION = z.object({ version: z.string() }).parse(JSON.parse(readFileSync(manifest, "utf8"))).version;
