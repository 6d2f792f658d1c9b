import { resolve } from "node:path";
import { writeContext } from "../image/context.ts";

/** `image-context.ts DIRECTORY`: writes what the Dockerfile is built from. */
const directory = process.argv[2];
if (directory === undefined) throw new Error("usage: image-context.ts DIRECTORY");
await writeContext(resolve(directory));
