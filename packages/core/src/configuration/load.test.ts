import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { decisionConfiguration } from "./decision.ts";
import { loadConfiguration, parseConfiguration } from "./load.ts";
import { settings } from "./settings.ts";

const directory = mkdtempSync(join(tmpdir(), "millrace-config-"));
afterAll(() => rmSync(directory, { recursive: true }));

function file(content: string): string {
  const path = join(directory, "config.yaml");
  writeFileSync(path, content);
  return path;
}

test("nothing needs to be set", () => {
  expect(loadConfiguration()).toMatchObject({
    node: { name: hostname() },
    redirectMode: "auto",
    failurePolicy: "closed",
    enrolExisting: "drain",
    localDelivery: "direct",
    dnsCapture: false,
    proxy: { namespace: "istio-system", labels: { app: "ztunnel" } },
    membership: { namespaceLabel: { key: "istio.io/dataplane-mode", value: "ambient" } },
    eventLog: { path: "/var/lib/millrace/events.db", appendDeadlineMs: 500 },
    resync: { intervalSeconds: 25 },
    plugins: [],
    backends: {},
  });
  expect(loadConfiguration({ file: file("# nothing\n") })).toEqual(loadConfiguration());
});

describe("sources", () => {
  const path = () => file("redirectMode: ebpf\nfailurePolicy: open\neventLog: { path: /a, appendDeadlineMs: 7 }\n");

  test("the environment is stronger than the file, flags are stronger than both", () => {
    const environment = { MILLRACE_FAILURE_POLICY: "closed", MILLRACE_EVENT_LOG_PATH: "/b", PATH: "/bin" };
    const flags = { "eventLog.path": "/c" };
    const loaded = loadConfiguration({ file: path(), environment, flags });
    expect(loaded).toMatchObject({
      redirectMode: "ebpf",
      failurePolicy: "closed",
      eventLog: { path: "/c", appendDeadlineMs: 7 },
    });
  });

  test("a set of labels is replaced whole, not mixed", () => {
    const labels = file("proxy: { labels: { app: haproxy, tier: edge } }");
    expect(loadConfiguration({ file: labels }).proxy.labels).toEqual({ app: "haproxy", tier: "edge" });
    const environment = { MILLRACE_PROXY_LABELS: "app=other" };
    expect(loadConfiguration({ file: labels, environment }).proxy.labels).toEqual({ app: "other" });
  });

  test("every kind of setting can be told as text", () => {
    const environment = {
      MILLRACE_NODE_NAME: "n7",
      MILLRACE_MANIFESTS_ENABLED: "false",
      MILLRACE_RESYNC_INTERVAL_SECONDS: "2.5",
      MILLRACE_MEMBERSHIP_EXCLUDE_NAMESPACES: "a, b,",
      MILLRACE_PROXY_LABELS: "app=x,zone=",
    };
    expect(loadConfiguration({ environment })).toMatchObject({
      node: { name: "n7" },
      manifests: { enabled: false },
      resync: { intervalSeconds: 2.5 },
      membership: { excludeNamespaces: ["a", "b"] },
      proxy: { labels: { app: "x", zone: "" } },
    });
  });

  test("what the kubelet says about Services called millrace is not ours", () => {
    const environment = {
      MILLRACE_SERVICE_HOST: "198.18.0.1",
      MILLRACE_PORT: "tcp://198.18.0.1:80",
      MILLRACE_WEB_PORT_80_TCP_ADDR: "198.18.0.1",
      MILLRACE_CONFIG: "/etc/x",
      MILLRACE_CACHE: "/root/.cache/millrace", // and these are the Makefile's
      MILLRACE_HAPROXY: "/usr/sbin/haproxy",
      MILLRACE_SEED: "1",
    };
    expect(() => loadConfiguration({ environment })).not.toThrow();
  });

  test("names at the three places are derived from one", () => {
    expect(settings.find(({ path }) => path === "eventLog.appendDeadlineMs")).toMatchObject({
      variable: "MILLRACE_EVENT_LOG_APPEND_DEADLINE_MS",
      flag: "--event-log-append-deadline-ms",
      kind: "number",
    });
    const paths = settings.filter(({ kind }) => kind === "path").map(({ path }) => path);
    expect(paths).toEqual([
      "manifests.directory",
      "kubernetes.kubeconfig",
      "sockets.admin",
      "sockets.cni",
      "eventLog.path",
      "paths.bpffs",
      "paths.journal",
      "paths.ambientConfig",
      "install.cniBinDir",
      "install.cniConfDir",
      "install.pluginSource",
    ]);
    expect(settings.every(({ description }) => description !== "")).toBe(true);
    expect(settings.some(({ path }) => path.startsWith("backends"))).toBe(false);
    expect(new Set(settings.map(({ variable }) => variable)).size).toBe(settings.length);
  });
});

describe("mistakes are told with their place and with what was probably meant", () => {
  test.each<[string, string]>([
    ["redirectMod: ebpf", 'redirectMod is no setting. Did you mean "redirectMode"?'],
    ["eventLog: { paht: /x }", 'eventLog.paht is no setting. Did you mean "path"?'],
    ["membership: { namespaceLabel: { kye: x } }", 'membership.namespaceLabel.kye is no setting. Did you mean "key"?'],
    ["failurePolicy: close", 'failurePolicy must be one of closed, open, but is "close". Did you mean "closed"?'],
    ["failurePolicy: shut", 'failurePolicy must be one of closed, open, but is "shut".'],
    ["localDelivery: route", 'localDelivery must be one of direct, routed, but is "route". Did you mean "routed"?'],
    ["sockets: { cni: run/cni.sock }", 'sockets.cni: must be an absolute path (is "run/cni.sock")'],
    ["redirectMode: eBPF", "redirectMode: must be `auto` or a plugin's name"],
    ["resync: { intervalSeconds: 0 }", "resync.intervalSeconds"],
    ["proxy: { labels: {} }", "proxy.labels: must have at least one label"],
    ["kubernetes: { enabled: true }", "manifests.enabled: must be false where kubernetes.enabled is true"],
    ["kubernetes: { kubeconfig: admin.conf }", "kubernetes.kubeconfig: must be an absolute path"],
    ["kubernetes: { watch: { silenceSeconds: 0.5 } }", "kubernetes.watch.silenceSeconds: Too small"],
    ["resync: { intervalSeconds: 86401 }", "resync.intervalSeconds: Too big"],
    ["cni: { deadlineSeconds: 2147484 }", "cni.deadlineSeconds: Too big"],
    ["eventLog: { appendDeadlineMs: 60001 }", "eventLog.appendDeadlineMs: Too big"],
    ["node: { name: !secret x }", "is not YAML: Unresolved tag: !secret"],
    ["node: &n { name: *n }", "is not YAML: Converting circular structure"],
    ["node: { name: *n }", "is not YAML: Unresolved alias"],
  ])("%s", (content, message) => {
    const path = file(content);
    expect(() => loadConfiguration({ file: path })).toThrow(
      expect.objectContaining({ code: "ERR_CONFIG_INVALID", message: expect.stringContaining(message) }),
    );
    expect(() => loadConfiguration({ file: path })).toThrow(path);
  });

  test("all mistakes at once", () => {
    expect(() => parseConfiguration({ a: 1, failurePolicy: 2, log: { level: "loud" } })).toThrow(
      /failurePolicy[^\n]*\n[^\n]*log\.level[^\n]*\n[^\n]*a is no setting/,
    );
  });

  test.each<[Record<string, string>, string]>([
    [{ MILLRACE_REDIRECTMODE: "x" }, 'MILLRACE_REDIRECTMODE is no setting. Did you mean "MILLRACE_REDIRECT_MODE"?'],
    [{ MILLRACE_MANIFESTS_ENABLED: "yes" }, 'MILLRACE_MANIFESTS_ENABLED must be true or false, but is "yes".'],
    [{ MILLRACE_CNI_DEADLINE_SECONDS: "" }, 'MILLRACE_CNI_DEADLINE_SECONDS must be a number, but is "".'],
    [{ MILLRACE_PROXY_LABELS: "app" }, 'MILLRACE_PROXY_LABELS must be key=value[,key=value…], but has "app".'],
  ])("environment %j", (environment, message) => {
    expect(() => loadConfiguration({ environment })).toThrow(message);
  });

  test("with the variable or the flag it came from, not the file", () => {
    const path = file("log: { level: loud }");
    const environment = { MILLRACE_REDIRECT_MODE: "eBPF", MILLRACE_FAILURE_POLICY: "shut" };
    const flags = { failurePolicy: "shut", "sockets.cni": "x" };
    let message = "";
    try {
      loadConfiguration({ file: path, environment, flags });
    } catch (error) {
      message = (error as Error).message;
    }
    expect(message.split("\n").map((line) => / \(from (\S+)\)$/.exec(line)?.[1])).toEqual([
      "MILLRACE_REDIRECT_MODE",
      "--failure-policy",
      "--sockets-cni",
      undefined,
    ]);
  });

  test("flags", () => {
    expect(() => loadConfiguration({ flags: { redirectmode: "x" } })).toThrow(
      'redirectmode is no setting. Did you mean "redirectMode"?',
    );
  });

  test("a FIFO that nobody writes to is refused, not waited for", () => {
    const path = join(directory, "fifo");
    execFileSync("mkfifo", [path]);
    expect(() => loadConfiguration({ file: path })).toThrow("it is no regular file");
  });

  test("a file that is not there, is no YAML, or is a list", () => {
    expect(() => loadConfiguration({ file: join(directory, "none.yaml") })).toThrow(
      expect.objectContaining({ code: "ERR_CONFIG_UNREADABLE", message: expect.stringContaining("ENOENT") }),
    );
    for (const [other, why] of [
      [directory, "no regular file"],
      ["/dev/zero", "no regular file"],
      [file(`# ${"x".repeat(1024 * 1024)}`), "larger than"],
    ] as const) {
      expect(() => loadConfiguration({ file: other })).toThrow(
        expect.objectContaining({ code: "ERR_CONFIG_UNREADABLE", message: expect.stringContaining(why) }),
      );
    }
    expect(() => loadConfiguration({ file: file("a: [") })).toThrow(/is not YAML/);
    expect(() => loadConfiguration({ file: file("- a") })).toThrow(/must be a mapping/);
  });
});

test("decisions get their part, with lists in order", () => {
  const decision = decisionConfiguration(parseConfiguration({ membership: { excludeNamespaces: ["b", "a"] } }));
  expect(decision.membership.excludeNamespaces).toEqual(["a", "b"]);
  expect(decision.watches).toEqual(["manifests"]);
  expect(decisionConfiguration(parseConfiguration({ manifests: { enabled: false } })).watches).toEqual([]);
  const inCluster = parseConfiguration({ manifests: { enabled: false }, kubernetes: { enabled: true } });
  expect(decisionConfiguration(inCluster).watches).toEqual([
    "kubernetes-namespaces",
    "kubernetes-node",
    "kubernetes-pods",
  ]);
  expect(decision).not.toHaveProperty("eventLog");
});
