#!/usr/bin/python3
"""Signals reach the command once: those sent to us are passed on, those of the terminal come by themselves."""

import os
import pty
import select
import signal
import subprocess

from lib.tap import ASHLAR, SECONDS, actor, contains, environment, is_equal, main, place, story


class Started:
    """The command in the background, with `ashlar run` in front of it."""

    def __init__(self, *words):
        self.process = subprocess.Popen([ASHLAR, "run", *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, env=environment(), bufsize=0)

    def line(self):
        return self.process.stdout.readline().decode().rstrip("\n")

    def end(self, data=b""):
        out, err = self.process.communicate(data, timeout=SECONDS)
        is_equal(os.listdir(place("tmp")), [], "left behind in TMPDIR")
        return self.process.returncode, out.decode(), err.decode()


@story
def signals_of_processes_are_passed_on():
    numbers = [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGINT, signal.SIGQUIT,
               signal.SIGWINCH]
    started = Started("--", actor(), "signals", str(len(numbers)))
    is_equal(started.line(), "ready")
    for number in numbers:
        started.process.send_signal(number)
        is_equal(started.line(), "got " + number.name[3:])
    status, out, err = started.end()
    is_equal((status, out), (7, ""))
    contains(err, "ashlar: active in actor")


@story
def signal_that_kills_the_command():
    started = Started("--", actor(), "echo")
    is_equal(started.line(), "ready")
    started.process.terminate()
    started.process.wait(SECONDS)  # before its standard input ends, which would end the actor as well
    status, _, err = started.end()
    is_equal(status, 128 + signal.SIGTERM)
    contains(err, "ashlar: active in actor")


@story
def command_stopped_and_continued_by_others():
    """Without job control we go on waiting, and see its end."""
    started = Started("-q", "--", "sh", "-c", "echo $$; read line; echo $line")
    pid = int(started.line())
    os.kill(pid, signal.SIGSTOP)
    os.kill(pid, signal.SIGCONT)
    is_equal(started.end(b"word\n")[:2], (0, "word\n"))


class Terminal:
    """A session with a terminal, in which the words run as the foreground job of a shell with job control."""

    def __init__(self, *words):
        self.session, self.descriptor = pty.fork()
        if self.session == 0:
            script = '"$@"; echo "status $?"; fg; echo "then $?"'
            os.execve("/bin/sh", ["sh", "-m", "-c", script, "sh", *words], environment())
        self.seen = ""

    def wait_for(self, text):
        """Read until the text has come; what came before it is forgotten."""
        while text not in self.seen:
            ready, _, _ = select.select([self.descriptor], [], [], SECONDS)
            assert ready, f"{text!r} does not come, after {self.seen!r}"
            try:
                more = os.read(self.descriptor, 10000)
            except OSError:  # the terminal's other side is closed
                more = b""
            assert more, f"{text!r} does not come, after {self.seen!r}"
            self.seen += more.decode()
        before, _, self.seen = self.seen.partition(text)
        return before

    def wait_for_line(self, text):
        """What stands behind the text in its line."""
        self.wait_for(text)
        return self.wait_for("\r\n")

    def type(self, data):
        os.write(self.descriptor, data)

    def end(self):
        try:
            while os.read(self.descriptor, 10000):
                pass
        except OSError:
            pass
        os.close(self.descriptor)
        os.waitpid(self.session, 0)


@story
def interrupt_key_reaches_the_command_once():
    terminal = Terminal(ASHLAR, "run", "--", actor(), "signals", "2")
    terminal.wait_for("ready")
    terminal.type(b"\x03")
    terminal.wait_for("got INT")
    terminal.type(b"\x1c")
    between = terminal.wait_for("got QUIT")
    is_equal(between.count("got"), 0, between)
    terminal.wait_for("ashlar: ")
    terminal.wait_for("status 7")
    terminal.end()


@story
def interrupt_key_that_kills_the_command():
    terminal = Terminal(ASHLAR, "run", "--", actor(), "echo")
    terminal.wait_for("ready")
    terminal.type(b"\x03")
    terminal.wait_for("in actor (")
    terminal.wait_for("errors    none")
    terminal.wait_for("status 130")
    terminal.end()


@story
def suspend_key_stops_both_and_the_shell_continues_both():
    terminal = Terminal(ASHLAR, "run", "--", actor(), "echo")
    terminal.wait_for("ready")
    terminal.type(b"\x1a")
    is_equal(int(terminal.wait_for_line("status ")) in (128 + signal.SIGTSTP, 128 + signal.SIGSTOP), True, "stopped")
    terminal.type(b"word\n")
    terminal.wait_for("read word")
    terminal.wait_for("in actor (")
    terminal.wait_for("then 0")
    terminal.end()


@story
def terminal_gets_colours_unless_told_otherwise():
    green = "\x1b[1;32mactive"
    terminal = Terminal(ASHLAR, "run", "--", "true")
    terminal.wait_for(green)
    terminal.end()
    for words, changes in ((["--color=never"], []), ([], ["NO_COLOR=1"]), ([], ["TERM=dumb"])):
        terminal = Terminal("env", *changes, ASHLAR, "run", *words, "--", "true")
        terminal.wait_for("ashlar: active in true")
        terminal.end()
    terminal = Terminal("env", "NO_COLOR=", ASHLAR, "run", "--", "true")
    terminal.wait_for(green)
    terminal.end()


if __name__ == "__main__":
    main()
