import { connectStore } from "../reach/connect.ts";
import { reasonOf } from "../reach/reason.ts";
import { setUp, type User } from "./admin.ts";

/** Makes MinIO's buckets and users as `USERS` lists them, as the user that the environment names. */
try {
  const users = JSON.parse(process.env.USERS ?? "[]") as User[];
  const store = await connectStore();
  try {
    await setUp(store, users);
    console.log(`users: ${users.map(({ bucket, right }) => `${right} ${bucket}`).join(", ")}`);
  } finally {
    store.close();
  }
} catch (error) {
  console.error(`object store: ${reasonOf(error)}`);
  process.exitCode = 1;
}
