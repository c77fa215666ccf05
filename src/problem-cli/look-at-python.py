"""Reads Python files without running them: {"path": "text", ...} in, what stands out in each of them.

{"version": "3.11", "looks": {"path": {"error": [line, message] or null, "imports": [[line, module], ...]}, ...}}
"""
import ast
import json
import sys
import warnings

warnings.simplefilter("ignore")


def look_at(path, text):
    try:
        tree = ast.parse(text, path)
    except SyntaxError as error:
        return {"error": [error.lineno or 1, error.msg], "imports": []}
    except (ValueError, RecursionError, MemoryError) as error:
        return {"error": [1, str(error)], "imports": []}
    imports = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imports += [[node.lineno, alias.name.split(".")[0]] for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            imports.append([node.lineno, node.module.split(".")[0]])
    return {"error": None, "imports": imports}


looks = {path: look_at(path, text) for path, text in json.load(sys.stdin).items()}
json.dump({"version": "%d.%d" % sys.version_info[:2], "looks": looks}, sys.stdout)
