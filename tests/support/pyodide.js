// Runs tests/support/core.py in Pyodide. The argument is a zip archive of all that it needs.

const fs = require("node:fs");
const { loadPyodide } = require("pyodide");

async function main() {
  const python = await loadPyodide();
  for (const name of ["sqlite3", "lzma"]) {
    const isThere = python.runPython(
      `__import__("importlib.util").util.find_spec("${name}") is not None`,
    );
    if (!isThere) {
      // From the network, in the versions that have it in a package of its own.
      await python.loadPackage(name).catch(() => {});
    }
  }
  python.unpackArchive(new Uint8Array(fs.readFileSync(process.argv[2])), "zip");
  python.runPython("import sys; print(sys.version); from tests.support import core; core.main()");
}

main().catch((error) => {
  console.error(String(error));
  process.exit(1);
});
