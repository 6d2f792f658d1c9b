import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { z } from "zod";
import { chartFile, containerOf, only, podOf, pods } from "../testing/objects.test.kit.ts";
import { PROFILES, ROOT } from "./places.ts";
import { type Rendering, render } from "./render.ts";

/** Everything that can be switched on, so that what holds for all pods is looked for in all of them. */
const everything: Rendering = {
  tests: true,
  values: {
    "bpffs.mount": true,
    "nodeProxy.enabled": true,
    "startupTaint.enabled": true,
    "openshift.securityContextConstraints": true,
    "resourceQuota.enabled": true,
    "namespace.create": true,
  },
};
const agent = (rendering: Rendering = {}) => only(render(rendering), "DaemonSet", "millrace-agent");

test("no container is privileged, and all have a read-only root, dropped capabilities and the default seccomp profile", () => {
  const containers = pods(render(everything)).flatMap((pod) => [...pod.initContainers, ...pod.containers]);
  expect(containers.map(({ name }) => name).sort()).toEqual(["agent", "haproxy", "mount-bpffs", "ready"]);
  for (const { securityContext } of containers) {
    expect(securityContext.privileged ?? false).toBe(false);
    expect(securityContext.readOnlyRootFilesystem).toBe(true);
    expect(securityContext.seccompProfile.type).toBe("RuntimeDefault");
    expect(securityContext.capabilities.drop).toEqual(["ALL"]);
  }
  expect(JSON.stringify(render(everything))).not.toContain("Bidirectional"); // which only privileged containers may have
});

test.each([undefined, ...PROFILES])("profile %s makes nothing privileged either", (profile) => {
  for (const pod of pods(render({ profile }))) {
    for (const { securityContext } of [...pod.initContainers, ...pod.containers]) {
      expect(securityContext.privileged ?? false).toBe(false);
    }
  }
});

test("each capability has its reason in the template and in the documentation, and there are no others", () => {
  const { add } = containerOf(agent()).securityContext.capabilities;
  const reasons = [...chartFile("templates/agent/_capabilities.tpl").matchAll(/^- ([A-Z_]+) # \S/gm)].map(
    ([, name]) => name,
  );
  expect(add).toEqual(reasons);
  expect(documented("capability")).toEqual(add);
  const constraints = only(render(everything), "SecurityContextConstraints", "millrace-agent-millrace-system");
  expect(constraints.allowedCapabilities).toEqual([...add, "SYS_CHROOT"]);
});

test("each directory of the node has its reason in the documentation, and there are no others", () => {
  const { volumes } = podOf(agent());
  const paths = volumes.flatMap(({ hostPath }) =>
    hostPath === undefined ? [] : [hostPath.path.replace(/^\/var\/run\//, "/run/")],
  );
  expect(
    documented("of the node")
      .filter((name) => name.startsWith("/"))
      .sort(),
  ).toEqual(paths.sort());
});

test("directories are mounted where the node has them, but for the one that cannot be", () => {
  const daemonSet = agent({ profile: "k3s" });
  const { volumes } = podOf(daemonSet);
  for (const { name, mountPath } of containerOf(daemonSet).volumeMounts) {
    const path = volumes.find((volume) => volume.name === name)?.hostPath?.path;
    if (path !== undefined) expect(mountPath).toBe(path === "/proc/sys/net" ? "/host/proc/sys/net" : path);
  }
  const mounts = containerOf(daemonSet).volumeMounts.map(({ name }) => name);
  expect(mounts.sort()).toEqual(volumes.map(({ name }) => name).sort());
});

test("namespaces that are made later appear, and nothing of the container runtime is ever made", () => {
  const { volumeMounts } = containerOf(agent());
  expect(volumeMounts.find(({ name }) => name === "netns")?.mountPropagation).toBe("HostToContainer");
  const types = Object.fromEntries(podOf(agent()).volumes.map(({ name, hostPath }) => [name, hostPath?.type]));
  expect(types).toMatchObject({ "cni-bin": "Directory", "cni-conf": "Directory", bpffs: "Directory" });
});

test("it runs on every node, before other pods, one at a time replaced, with time to end", () => {
  expect(agent().spec).toMatchObject({
    updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 1 } },
    template: {
      spec: {
        priorityClassName: "system-node-critical",
        terminationGracePeriodSeconds: 30,
        hostNetwork: true,
        hostPID: true,
        enableServiceLinks: false,
        nodeSelector: { "kubernetes.io/os": "linux" },
        tolerations: [
          { effect: "NoSchedule", operator: "Exists" },
          { effect: "NoExecute", operator: "Exists" },
          { key: "CriticalAddonsOnly", operator: "Exists" },
        ],
      },
    },
  });
});

test("it is asked for its health and its readiness on its own port", () => {
  const container = containerOf(agent());
  const port = z.array(z.object({ name: z.string(), containerPort: z.int() })).parse(container.ports)[0];
  expect(port).toEqual({ name: "http", containerPort: 15090 });
  const probe = (path: string) => expect.objectContaining({ httpGet: { path, port: "http" } });
  expect(container).toMatchObject({
    startupProbe: probe("/healthz"),
    livenessProbe: probe("/healthz"),
    readinessProbe: probe("/readyz"),
  });
});

test("the port can be another one, everywhere", () => {
  const rendered = render({ tests: true, values: { httpPort: 9099 } });
  const { ports } = containerOf(only(rendered, "DaemonSet", "millrace-agent"));
  expect(ports).toEqual([expect.objectContaining({ containerPort: 9099 })]);
  expect(JSON.stringify(only(rendered, "ConfigMap", "millrace-agent"))).toMatch(/http:\\n +port: 9099/);
  expect(JSON.stringify(only(rendered, "Pod"))).toContain(":9099/readyz");
  expect(JSON.stringify(rendered)).not.toContain("15090");
});

test("its pods are called as the CNI plugin expects it, whatever the release is called", () => {
  expect(agent().metadata.name).toBe("millrace-agent");
});

test("a changed configuration makes new pods", () => {
  const checksum = (rendering: Rendering) => /checksum\/config":"(\w+)"/.exec(JSON.stringify(agent(rendering)))?.[1];
  expect(checksum({})).toMatch(/^[0-9a-f]{64}$/);
  expect(checksum({ values: { "config.failurePolicy": "open" } })).not.toBe(checksum({}));
});

test("what users add to pods is added", () => {
  const values = {
    nodeSelector: { pool: "a" },
    podLabels: { team: "net" },
    podAnnotations: { note: "x" },
    seLinuxOptions: { type: "spc_t" },
    "image.digest": `sha256:${"0".repeat(64)}`,
  };
  const daemonSet = agent({ values });
  expect(daemonSet.spec).toMatchObject({
    template: {
      metadata: { labels: { team: "net" }, annotations: { note: "x" } },
      spec: { nodeSelector: { pool: "a", "kubernetes.io/os": "linux" } },
    },
  });
  expect(containerOf(daemonSet)).toMatchObject({
    image: `millrace/millrace@sha256:${"0".repeat(64)}`,
    securityContext: { seLinuxOptions: { type: "spc_t" } },
  });
});

test("what users say of pods wins over what the chart suggests, but not over what it lives by", () => {
  const values = {
    podLabels: { "app.kubernetes.io/name": "mine" },
    podAnnotations: { "prometheus.io/scrape": "false", "checksum/config": "mine" },
  };
  const { selector, template } = podTemplate.parse(agent({ values }).spec);
  expect(template.metadata.labels).toMatchObject(selector.matchLabels);
  expect(template.metadata.annotations).toMatchObject({
    "prometheus.io/scrape": "false",
    "prometheus.io/port": "15090",
    "checksum/config": expect.stringMatching(/^[0-9a-f]{64}$/),
  });
});

const strings = z.record(z.string(), z.string());
const podTemplate = z.object({
  selector: z.object({ matchLabels: strings }),
  template: z.object({ metadata: z.object({ labels: strings, annotations: strings }) }),
});

/** First column, without its marks, of the table in docs/installing.md that has this heading. */
function documented(heading: string): string[] {
  const page = readFileSync(join(ROOT, "docs/installing.md"), "utf8");
  const table = new RegExp(`^\\| ${heading} \\| .*\\n\\|[-|]+\\n((?:\\|.*\\n)+)`, "m").exec(page)?.[1] ?? "";
  return table
    .split("\n")
    .map((row) => row.split("|")[1] ?? "")
    .flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name as string))
    .filter((name) => !["cniNetnsDir", "hostNetwork", "hostPID", "Unconfined"].includes(name));
}
