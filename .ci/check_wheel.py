"""What a wheel must hold and must not: python check_wheel.py loglik-*.whl"""

import os
import sys
import zipfile

with zipfile.ZipFile(sys.argv[1]) as wheel:
    names = wheel.namelist()
    size = sum(info.file_size for info in wheel.infolist())

binaries = [name for name in names if name.endswith((".so", ".pyd", ".dylib", ".dll"))]
libraries = {"loglik/libloglik.so", "loglik/libloglik.dylib", "loglik/loglik.dll"}.intersection(binaries)
modules = {name.split("/")[-1].split(".")[0] for name in binaries if name not in libraries}
static = {"loglik/lib/libloglik.a", "loglik/lib/loglik.lib"}.intersection(names)
wrong = [name for name in names if name.endswith((".c", ".pyx", ".o", ".a")) or "/tests/" in name]
wrong = [name for name in wrong if name not in static]
expected = ["loglik/__init__.py", "loglik/py.typed", "loglik/include/loglik/loglik.h", "loglik/c_api.pxd"]
expected += ["loglik/lib/pkgconfig/loglik.pc"]
expected += ["loglik/loglik.lib"] if "loglik/loglik.dll" in libraries else []
expected += [f"loglik/{module}.pyi" for module in modules] + ["loglik/ufuncs.pyi"]
missing = [name for name in expected if name not in names]
outside = [name for name in names if not name.startswith("loglik/") and ".dist-info/" not in name]

problems = []
if modules != {"_kernels"}:
    problems.append(f"extension modules: {sorted(modules)}")
if len(libraries) != 1:
    problems.append(f"libraries: {sorted(libraries)}")
if len(static) != 1:
    problems.append(f"static libraries: {sorted(static)}")
if wrong:
    problems.append(f"sources of the build: {wrong}")
if missing:
    problems.append(f"missing: {missing}")
if outside:
    problems.append(f"outside the package: {outside}")
if not any(name.endswith("LICENSE") for name in names):
    problems.append("no LICENSE")
if size > 8_000_000:
    problems.append(f"{size} bytes installed, 8000000 allowed")
packed = os.path.getsize(sys.argv[1])
if packed > 3_000_000:
    problems.append(f"{packed} bytes packed, 3000000 allowed")
name = sys.argv[1].rsplit("/", maxsplit=1)[-1]
print(f"    {name}: {len(names)} files, {size / 1e6:.2f} MB installed, {packed / 1e6:.2f} MB packed")
sys.exit("; ".join(problems) or None)
