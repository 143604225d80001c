// Plain JavaScript, because the SDK loads the entry with `require` and its own TypeScript compiler; what it imports is
// TypeScript that Node runs itself.
import "./pack.ts";
