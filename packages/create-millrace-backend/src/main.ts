#!/usr/bin/env node
import { readFileSync } from "node:fs";
import { relative } from "node:path";
import { createProject } from "./create-project.ts";

const USAGE = "usage: npm create millrace-backend DIRECTORY";
const [path, ...rest] = process.argv.slice(2);
const manifest = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { version: string };

if (path === "--help" || path === "-h") console.log(USAGE);
else if (path === undefined || path.startsWith("-") || rest.length > 0) {
  console.error(USAGE);
  process.exitCode = 2;
} else {
  try {
    const { directory, name } = createProject(path, manifest.version);
    const to = relative(process.cwd(), directory) || ".";
    console.log(`The backend ${name} is in ${to}. Next:

  cd ${to}
  npm install
  npm test                  # without root
  npm run build
  sudo npm run conformance  # real packets, in network namespaces of its own`);
  } catch (error) {
    console.error(`create-millrace-backend: ${(error as Error).message}`);
    process.exitCode = 1;
  }
}
