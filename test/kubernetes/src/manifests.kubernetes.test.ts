import { readFileSync } from "node:fs";
import { join } from "node:path";
import { CHART, PROFILES, parseObjects, render } from "@millrace/deploy";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { Cluster } from "./cluster/cluster.ts";
import type { WantedObject } from "./control-plane/api-client.ts";

let cluster: Cluster;

beforeAll(async () => {
  cluster = await Cluster.create();
  await cluster.api.apply(securityContextConstraints());
  // It is served a moment after it has been stored.
  await vi.waitFor(() => cluster.api.ask("GET", constraintsPath), { timeout: 60_000, interval: 100 });
});

afterAll(() => cluster?.[Symbol.asyncDispose]());

/** Applies them in order, as `kubectl apply --server-side` does; an unknown or doubled field is refused (`fieldValidation=Strict`). */
async function apply(objects: readonly WantedObject[]): Promise<string[]> {
  const versions: string[] = [];
  for (const object of objects) {
    const { metadata } = await cluster.api.apply(object);
    versions.push(`${object.kind}/${metadata.name} ${metadata.resourceVersion}`);
  }
  return versions;
}

const manifest = (file: string): WantedObject[] =>
  parseObjects(readFileSync(join(CHART, "../../manifests", file), "utf8"));

describe("the plain manifests", () => {
  test.each(["millrace.yaml", "millrace-with-node-proxy.yaml"])("%s is taken as it is", async (file) => {
    const objects = manifest(file);
    expect(await apply(objects)).toHaveLength(objects.length);
  });

  test("applied again they change nothing", async () => {
    const objects = manifest("millrace-with-node-proxy.yaml");
    const first = await apply(objects);
    expect(await apply(objects)).toEqual(first);
  });
});

describe("what Helm renders", () => {
  test.each(PROFILES)("profile %s is taken as it is", async (profile) => {
    const values = { "nodeProxy.enabled": true, "startupTaint.enabled": true };
    const objects = render({ profile, values, tests: true }) as WantedObject[];
    expect(await apply(objects)).toHaveLength(objects.length);
  });

  test("a field that the API server does not know is refused", async () => {
    const [daemonSet] = render().filter(({ kind }) => kind === "DaemonSet") as WantedObject[];
    const wrong = { ...daemonSet, spec: { ...(daemonSet?.spec as object), updateStratgy: {} } } as WantedObject;
    await expect(cluster.api.apply(wrong)).rejects.toMatchObject({ message: expect.stringContaining("updateStratgy") });
  });

  test("a policy whose expression does not compile is refused", async () => {
    const [policy] = render().filter(({ kind }) => kind === "ValidatingAdmissionPolicy");
    const text = JSON.stringify(policy).replace("variables.node != ''", "variables.nod != ''");
    await expect(cluster.api.apply(JSON.parse(text) as WantedObject)).rejects.toMatchObject({
      status: 422,
      message: expect.stringContaining("nod"),
    });
  });
});

const constraintsPath = "/apis/security.openshift.io/v1/securitycontextconstraints";

/** OpenShift's own kind, which no other API server has; its fields are not checked here. */
function securityContextConstraints(): WantedObject {
  const schema = { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } };
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: "securitycontextconstraints.security.openshift.io" },
    spec: {
      group: "security.openshift.io",
      scope: "Cluster",
      names: {
        kind: "SecurityContextConstraints",
        plural: "securitycontextconstraints",
        singular: "securitycontextconstraints",
      },
      versions: [{ name: "v1", served: true, storage: true, schema }],
    },
  };
}
