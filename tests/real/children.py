"""subprocess: many short children, pipelines, timeouts, signals."""
import subprocess
import sys

total = 0
for i in range(200):
    total += int(subprocess.run(["/bin/echo", str(i)], stdout=subprocess.PIPE, check=True).stdout)
print(total)
for i in range(30):
    a = subprocess.Popen(["seq", "2000"], stdout=subprocess.PIPE)
    b = subprocess.Popen(["sort", "-rn"], stdin=a.stdout, stdout=subprocess.PIPE)
    a.stdout.close()
    first = b.communicate()[0].split()[0]
    a.wait()
print(first, a.returncode, b.returncode)
print([subprocess.run(["sh", "-c", f"sleep 0.02; exit {i}"], check=False).returncode for i in range(20)])
try:
    subprocess.run(["sleep", "10"], timeout=0.2, check=False)
except subprocess.TimeoutExpired as e:
    print("timeout", e.cmd)
child = subprocess.Popen(["sleep", "10"])
child.kill()
print(child.wait())
print(subprocess.run("echo out; echo err >&2", shell=True, capture_output=True, check=False))
sys.exit(3)
