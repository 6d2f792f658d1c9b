import { expect, test, vi } from "vitest";
import { findResource, objectPath } from "./resources.ts";

const discovery = {
  resources: [
    { name: "pods/status", kind: "Pod", namespaced: true },
    { name: "pods", kind: "Pod", namespaced: true },
    { name: "nodes", kind: "Node", namespaced: false },
  ],
};

test("a kind is found by discovery, which is asked once a group and version", async () => {
  const get = vi.fn().mockResolvedValue(discovery);
  const known = new Map();
  const pod = await findResource(known, "v1", "Pod", get);
  const node = await findResource(known, "v1", "Node", get);
  expect(get.mock.calls).toEqual([["/api/v1"]]);
  expect(objectPath(pod, { name: "a", namespace: "shop" })).toBe("/api/v1/namespaces/shop/pods/a");
  expect(objectPath(pod, { name: "a", namespace: "shop" }, { subresource: "status" })).toMatch(/pods\/a\/status$/);
  expect(objectPath(pod, { name: "a", namespace: "shop" }, { collection: true })).toMatch(/shop\/pods$/);
  expect(objectPath(node, { name: "n1" })).toBe("/api/v1/nodes/n1");
  await findResource(known, "apps/v1", "Pod", get);
  expect(get).toHaveBeenLastCalledWith("/apis/apps/v1");
});

test("a kind that the API server does not have is named", async () => {
  const asked = findResource(new Map(), "v1", "Gadget", () => Promise.resolve(discovery));
  await expect(asked).rejects.toMatchObject({
    code: "ERR_API_REQUEST",
    message: expect.stringContaining("Gadget in v1"),
  });
});
