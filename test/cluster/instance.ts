// Before anything reads it: files that run at the same time have a cluster each.
process.env.INFERENCE_STACK_INSTANCE += `-${process.env.VITEST_POOL_ID}`;
