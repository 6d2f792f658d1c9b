import { readFileSync } from "node:fs";
import { INSTALL_ERRORS } from "@millrace/cni-install";
import { CORE_ERRORS } from "@millrace/core/internal";
import { HOST_ERRORS } from "@millrace/host";
import { ERRORS as EBPF_ERRORS } from "@millrace/plugin-ebpf";
import { ERRORS as IPTABLES_ERRORS } from "@millrace/plugin-iptables";
import { watcherErrors } from "@millrace/watchers";
import { expect, test } from "vitest";
import { AGENT_ERROR_CODES } from "./errors.ts";

const PAGE = readFileSync(new URL("../../../docs/error-codes.md", import.meta.url), "utf8");

test("docs/error-codes.md names every code once, and none that is not there", () => {
  const tables = [CORE_ERRORS, watcherErrors, INSTALL_ERRORS, HOST_ERRORS, EBPF_ERRORS, IPTABLES_ERRORS];
  const codes = new Set([...tables.flatMap((table) => Object.keys(table)), ...AGENT_ERROR_CODES, "ERR_UNEXPECTED"]);
  const documented = [...PAGE.matchAll(/^\| `(ERR_\w+)` \|/gm)].map(([, code]) => code as string);
  expect(documented.sort()).toEqual([...codes].sort());
});
