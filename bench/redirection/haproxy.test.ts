import { expect, test } from "vitest";
import { haproxyConfig } from "./haproxy.ts";

const OWN = { 4: "198.18.1.12", 6: "2001:2:0:1::c" };

test("as a node proxy it dials where the client meant to go, and never itself", () => {
  const config = haproxyConfig(15001, OWN, undefined);
  expect(config).toContain("bind :::15001 v4v6 transparent\n");
  expect(config).toContain("reject if { dst 198.18.1.12 2001:2:0:1::c }");
  expect(config).toContain("server original 0.0.0.0:0");
});

test("told a server, it dials that", () => {
  const config = haproxyConfig(15001, OWN, { address: "198.18.1.11", port: 8080 });
  expect(config).toContain("server fixed 198.18.1.11:8080");
  expect(config).not.toMatch(/transparent|usesrc/);
});
