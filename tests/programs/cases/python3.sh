# witness: */python3.11
# Python's own regression tests. The plain run establishes which tests pass here and records their names; the preloaded
# run must pass each of them. The modules run two at a time, each in a process of its own.

# Left out: what needs a network, a terminal, a display or a package index, what waits for seconds of a clock, what
# fills a disk, and the tests of tools which are not packaged.
exclude="
test_asyncio test_clinic test_cmd_line_script test_compileall test_concurrent_futures test_cppext test_curses
test_distutils test_docxmlrpc test_eintr test_ensurepip test_ftplib test_gdb test_httplib test_httpservers test_idle
test_imaplib test_ioctl test_largefile test_lib2to3 test_logging test_multiprocessing_forkserver
test_multiprocessing_main_handling test_multiprocessing_spawn test_nntplib test_ossaudiodev test_peg_generator
test_poll test_poplib test_pty test_readline test_regrtest test_sched test_selectors test_signal test_smtplib
test_smtpnet test_socket test_socketserver test_ssl test_telnetlib test_threadsignals test_time test_timeout
test_tools test_urllib2_localnet test_urllib2net test_urllibnet test_venv test_wait3 test_wait4 test_webbrowser
test_wsgiref test_xmlrpc test_xmlrpc_net test_zipfile64"

cat >passed.py <<'PYTHON'
"""passed.py XML RECORD: which of the recorded tests passed? Without a record: record those that passed."""
import collections
import pathlib
import sys
import xml.etree.ElementTree

record = pathlib.Path(sys.argv[2])
passed, skipped = set(), set()
for test in xml.etree.ElementTree.parse(sys.argv[1]).iter("testcase"):
    what = {child.tag for child in test}
    name = " ".join(test.get("name").split())
    if "skipped" in what:
        skipped.add(name)
    elif not what & {"failure", "error"}:
        passed.add(name)
if not record.exists():
    record.write_text("\n".join(sorted(passed)))
recorded = set(record.read_text().split("\n"))

modules = collections.Counter(".".join(name.split(".")[:2]) for name in passed & recorded)
print(f"{len(recorded)} tests recorded, {len(passed & recorded)} of them passed")
for module, count in sorted(modules.items()):
    print(f"{module}: {count} passed")
for name in sorted(recorded - passed):
    print(f"not passed: {name}{' (skipped)' if name in skipped else ''}")
PYTHON

# Left out, too: the few tests that run only where numpy is installed.
# Modules that failed as a whole, for example by a crash, have no passed tests in the XML.
/usr/bin/python3 -m test -j2 --timeout 200 --tempdir "$TMPDIR" --junit-xml "$PWD/tests.xml" \
    -i test_buffers_numpy -x $exclude >log.txt 2>&1 ||
    sed -n '/tests\? failed/,/^$/p' log.txt | sed 's/^/note: /'
/usr/bin/python3 passed.py tests.xml "$RECORD/passed.txt"
