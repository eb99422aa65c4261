#!/usr/bin/env python3
"""Makes the recordings beside it: real programs, played by a script on a terminal of their own.

    apt-get install vim less htop tmux mc git vttest dialog whiptail nano procps curl
    sudo python3 record.py [name...]

It runs itself in namespaces of its own, with an empty home, a neutral host name and no processes but its own, so that
nothing of the machine is on the screen. Recordings are asciicast v2.
"""
import codecs, fcntl, json, os, pty, select, signal, struct, subprocess, sys, termios, time

HOME = "/home/user"
SLOW = 0.4  # seconds that a program may take to draw itself


def keys(text, pause=0.04):
    """Keys typed one by one."""
    return [step for key in text for step in (key, pause)]


def lines(*texts):
    return [step for text in texts for step in (*keys(text + "\r", 0.02), SLOW)]


UP, DOWN, RIGHT, LEFT, PAGEDOWN, ESC = "\x1bOA", "\x1bOB", "\x1bOC", "\x1bOD", "\x1b[6~", "\x1b"
SHELL = ["bash", "--noprofile", "--norc", "-i"]


def times(n, *steps, pause=0.08):
    return [part for _ in range(n) for step in steps for part in (step, pause)]


def run(command, *steps):
    return (*lines(command), SLOW, *steps)


SESSIONS = {
    "bash": (80, 24, [
        *lines("ls -la --color=always", "echo hello world"),
        *keys("echo one two three"), "\x01", 0.1, *keys("# "), "\x05", *keys(" four"), "\x1bb", 0.1, "\x0b", 0.1, "\x19", 0.1, "\r", SLOW,
        *times(3, "\x1b[A"), *times(4, "\x1b[D"), *times(2, "\x7f"), *keys("X"), "\r", SLOW,
        "\x12", 0.1, *keys("hel"), 0.2, "\x07", 0.1, *keys("cat uni"), "\t", SLOW, "\r", SLOW,
        *keys("echo a very long line that does not fit into the eighty columns of this terminal and so wraps, twice if it is long enough"),
        *times(30, "\x1b[D", pause=0.02), *keys("inserted "), *times(12, "\x7f", pause=0.02), "\x05\r", SLOW,
        *keys("for i in 1 2 3; do\r printf '%d\\t%s\\n' $i x\r done\r"), SLOW, "\x0c", 0.2, *lines("ls /proc/self", "clear", "exit")]),
    "vim": (100, 30, run("vim -u vimrc code.go",
        *times(12, "j"), *times(3, "w"), *keys("ithe new words "), ESC, 0.3, *times(3, "\x04", pause=0.2), *times(3, "\x15", pause=0.2),
        *keys(":%s/return/retour/g\r"), SLOW, "u", 0.3, *keys("/func\r"), *times(4, "n", pause=0.2), *keys("V5jd"), SLOW, *keys("p"),
        *keys(":vsplit unicode.txt\r"), SLOW, *times(10, "j"), *times(8, "l"), *keys("x"), *keys(":split\r"), SLOW, "\x17w", 0.2, "\x17=", 0.2,
        *keys(":set number list hlsearch cursorline\r"), SLOW, *keys("ggVG"), 0.2, ESC, 0.2, *keys(":help\r"), SLOW, *times(5, "\x06", pause=0.2), *keys(":qa!\r"), SLOW)),
    "less": (90, 28, run("less -R long.txt",
        *times(6, " ", pause=0.15), *times(5, "b", pause=0.15), *keys("/lorem\r"), SLOW, *times(5, "n", pause=0.15), *times(10, "j"), *times(10, "k"),
        "G", SLOW, "g", SLOW, *keys("-S\r"), SLOW, *times(3, RIGHT, pause=0.2), *times(2, LEFT, pause=0.2), "q", SLOW)
        + run("less unicode.txt", *times(4, " ", pause=0.2), "q", SLOW)),
    "htop": (110, 34, run("htop -d 3", 1.5, *times(4, DOWN), "\x1bOQ", SLOW, *times(3, DOWN), ESC, SLOW, "t", SLOW, "\x1bOP", SLOW, "q", SLOW, "q", SLOW)),
    "top": (80, 24, run("top -d 0.4", 1.6, "1", SLOW, "c", SLOW, "x", SLOW, "z", SLOW, "V", SLOW, "q", SLOW)),
    "tmux": (120, 36, run("tmux -f tmux.conf", SLOW,
        *lines("ls --color=always"), "\x02%", SLOW, *lines("top -d 0.5"), "\x02\"", SLOW, *lines("cat long.txt"), "\x02o", 0.2,
        *times(4, "\x02\x1b[1;5A", pause=0.2), *times(4, "\x02\x1b[1;5D", pause=0.2), ("resize", 100, 30), 0.6, ("resize", 132, 40), 0.6,
        "\x02z", SLOW, "\x02z", SLOW, "\x02[", 0.2, *times(5, "\x1b[5~"), "q", 0.2, "\x02c", SLOW, *lines("vim -u vimrc code.go"), *times(5, "\x04", pause=0.2),
        *keys(":q\r"), SLOW, "\x02w", SLOW, "q", 0.3, "\x02&", 0.2, "y", SLOW, "\x02 ", SLOW, *lines("exit"), "\x02o", "q", SLOW, *lines("exit"), *lines("exit"))),
    "mc": (100, 30, run("mc -d", 1.0, *times(5, DOWN), "\t", 0.2, *times(3, DOWN), "\x1b[13~", 0.3, "\x1bOR", SLOW, *times(3, PAGEDOWN, pause=0.2), "\x1b[21~", SLOW,
        "\x1b[20~", SLOW, *times(3, RIGHT, pause=0.2), *times(4, DOWN), ESC + ESC, SLOW, "\x1bOS", SLOW, *times(5, DOWN), "\x1b[21~", SLOW, "\x1b[18~", SLOW, *keys("new\r"), SLOW,
        "\x0f", SLOW, "\x0f", SLOW, "\x1b[21~", SLOW, "\r", SLOW)),
    "nano": (80, 24, run("nano long.txt", *keys("Words that are typed. "), *times(12, DOWN), "\x0b", 0.2, "\x0b", 0.2, "\x15", 0.2, "\x17", 0.2, *keys("ipsum\r"), SLOW,
        *times(3, PAGEDOWN, pause=0.2), "\x07", SLOW, *times(2, PAGEDOWN, pause=0.2), "\x18", SLOW, "\x18", 0.2, "n", SLOW)),
    "unicode": (80, 24, [*lines("cat unicode.txt", "head -c 3000 unicode.txt", "cat wide.txt wide.txt")]
        + list(run("vim -u vimrc unicode.txt", *times(30, "j", pause=0.03), *keys("$i漢字"), ESC, 0.2, *times(10, "x"), *times(10, "k", pause=0.03), *keys(":q!\r"), SLOW))
        + lines("echo '漢字かな交じり文' 한국어 👩‍👩‍👧 é ก็ ﷽ ½ ①") + keys("echo 漢字かな交じり文漢字かな交じり文漢字かな交じり文漢字かな交じり文漢字かな") + times(6, "\x1b[D") + times(4, "\x7f") + ["\r", SLOW]),
    "progress": (80, 24, [*lines("python3 progress.py", "curl -o /dev/null file:///home/user/big", "curl -# -o /dev/null file:///home/user/big")]),
    "git": (100, 30, run("git log --graph --stat --color=always | cat")
        + run("git log -p", *times(6, " ", pause=0.15), *keys("/func\r"), *times(3, "n", pause=0.2), "q", SLOW) + run("git diff --color-words HEAD~3 | cat")
        + run("git show --color HEAD", "q", SLOW) + tuple(lines("git status", "git blame code.go | head -20", "ls --color=always --hyperlink=always"))),
    "vttest": (80, 24, run("vttest", *lines("1"), *times(8, "\r", pause=0.5), *lines("2"), *times(18, "\r", pause=0.4), *lines("3"), *lines("8", "0"),
        *lines("8"), *times(16, "\r", pause=0.4), *lines("0"), *lines("0"))),
    "vttest-colors": (80, 24, run("vttest", *lines("11", "6", "2", ""), *times(4, "\r", pause=0.4), *lines("3", ""), *times(6, "\r", pause=0.4), *lines("4", ""),
        *times(4, "\r", pause=0.4), *lines("0", "5"), *times(5, "\r", pause=0.5), *lines("0", "8", "1"), *times(4, "\r", pause=0.5), *lines("0", "0", "0"))),
    "dialog": (80, 24, run("dialog --title Choose --menu 'One of these' 15 50 5 1 apple 2 pear 3 plum 4 fig", *times(2, "\x1b[B"), "\r", SLOW)
        + run("dialog --checklist Several 12 40 4 a A on b B off c C on", " ", 0.2, "\x1b[B", 0.2, " ", 0.2, "\t", 0.2, "\r", SLOW)
        + run("dialog --calendar Day 0 0 1 1 2024", *times(3, "\t"), "\r", SLOW) + run("for i in 0 25 50 75 100; do echo $i; sleep 0.2; done | dialog --gauge Copying 8 60", SLOW, SLOW)
        + run("whiptail --title T --yesno 'Go on?' 10 40", "\t", 0.2, "\r", SLOW) + run("whiptail --inputbox Name 10 40", *keys("somebody"), "\r", SLOW)
        + run("whiptail --textbox long.txt 20 70 --scrolltext", *times(5, "\x1b[B"), "\t", 0.2, "\r", SLOW)),
    "resize": (100, 30, [*lines("ls -la --color=always /usr/bin | head -60", "cat wide.txt")]
        + [step for cols, rows in ((60, 20), (133, 43), (40, 12), (80, 24), (79, 24), (81, 25), (200, 50), (80, 10), (80, 40)) for step in (("resize", cols, rows), 0.25)]
        + lines("cat long.txt | head -40")
        + [step for cols, rows in ((50, 24), (120, 24), (100, 15), (100, 45), (72, 30)) for step in (("resize", cols, rows), 0.25, *keys("echo "), "\x7f", 0.1)]
        + ["\r", 0.2] + list(run("vim -u vimrc code.go", *[step for n in range(20) for step in (("resize", 60 + n * 7 % 50, 18 + n * 5 % 20), 0.12)], *keys(":q!\r"), SLOW))
        + list(run("less long.txt", *[step for n in range(8) for step in (("resize", 70 + n * 11 % 40, 20 + n * 3 % 14), 0.2, " ", 0.1)], "q", SLOW))),
}

CODE = 'package main\n\nimport "fmt"\n\n' + "".join(
    f"// step{n} does the part {n} of what is to be done, and says so.\nfunc step{n}(a, b int) (int, error) {{\n\tif a > b {{\n\t\treturn 0, fmt.Errorf(\"%d is more than %d\", a, b)\n\t}}\n\treturn a*{n} + b, nil\n}}\n\n" for n in range(24))
LOREM = ("Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut labore et dolore magna aliqua. "
         "Ut enim ad minim veniam, quis nostrud exercitation ullamco laboris.\n\tIndented by a tab, \x1b[31mred\x1b[0m and \x1b[1;4mbold\x1b[0m.\n")
UNICODE = ("漢字かな交じり文は横に広い。中文字符佔兩列。한국어 문장도 그렇다.\nEmoji 😀 👍🏽 👩‍👩‍👧 🏳️‍🌈 ❤️ 1️⃣ 🇫🇷, and e\u0301 o\u0308 combined, ไทยก็มี, עברית and العربية.\n"
           "┌──┬──┐ ░▒▓█ ←↑→↓ ∀∂∈ℝ ½ ① ﷽ ﬁ \u200b\u00ad ｱｲｳ ａｂｃ\n")
PROGRESS = r'''
import sys, time
for n in range(0, 101, 2):
    sys.stdout.write(f"\r\x1b[K   {'━' * (n * 40 // 100)}\x1b[90m{'━' * (40 - n * 40 // 100)}\x1b[0m {n/10:.1f}/10.0 MB \x1b[31m3.2 MB/s\x1b[0m eta \x1b[36m0:00:{9 - n // 11:02}\x1b[0m"); sys.stdout.flush(); time.sleep(.02)
print()
sys.stdout.write("\x1b7\x1b[0;23r\x1b8\x1b[1A")
for n in range(0, 101, 4):
    print(f"Unpacking package-{n} (1.{n}) ...")
    sys.stdout.write(f"\x1b7\x1b[24;0f\x1b[42m\x1b[30mProgress: [{n:3}%]\x1b[49m\x1b[39m [{'#' * (n * 55 // 100)}{'.' * (55 - n * 55 // 100)}] \x1b8"); sys.stdout.flush(); time.sleep(.02)
sys.stdout.write("\x1b7\x1b[0;24r\x1b8\x1b[1A\x1b[J\n")
for n in range(40):
    sys.stdout.write("\b" + "|/-\\"[n % 4]); sys.stdout.flush(); time.sleep(.01)
print("\bdone")
for _ in range(4): print()
for n in range(30):
    sys.stdout.write("\x1b[4A" + "".join(f"\x1b[2K layer {k}: {'=' * ((n * (k + 2)) % 40)}>\r\n" for k in range(4))); sys.stdout.flush(); time.sleep(.02)
'''


def prepare():
    os.makedirs(HOME)
    os.chdir(HOME)
    files = {"code.go": CODE, "long.txt": LOREM * 60, "unicode.txt": UNICODE * 12, "progress.py": PROGRESS, "wide.txt": (LOREM.split("\n")[0] + "漢字" * 30 + " ") * 3 + "\n",
             "vimrc": "syntax on\nset nocompatible background=dark laststatus=2 ruler showcmd noswapfile\n",
             "tmux.conf": "set -g default-command 'exec bash --noprofile --norc -i'\nset -g status-right '#H'\nset -g default-terminal screen-256color\n", "big": "x" * 3_000_000}
    for name, text in files.items():
        open(name, "w").write(text)
    os.mkdir("folder")
    git = lambda *args: subprocess.run(["git", *args], check=True, stdout=subprocess.DEVNULL)
    git("init", "-q", "-b", "main")
    for n in range(6):
        open("code.go", "w").write(CODE.replace("a > b", "a >= b") if n % 2 else CODE + f"// change {n}\n")
        open(f"file{n}.txt", "w").write(LOREM * n)
        git("add", "code.go", f"file{n}.txt")
        git("commit", "-qm", f"Change number {n}")
    open("code.go", "w").write(CODE)


def record(name, target):
    cols, rows, steps = SESSIONS[name]
    pid, master = pty.fork()
    if pid == 0:
        os.execvp(SHELL[0], SHELL)
    size = lambda c, r: fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", r, c, 0, 0))
    size(cols, rows)
    start = time.time()
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    events = []

    def read(seconds):
        end = time.time() + seconds
        while (left := end - time.time()) > 0:
            if not select.select([master], [], [], left)[0]:
                return True
            try:
                data = os.read(master, 65536)
            except OSError:
                return False
            if text := decoder.decode(data):
                events.append([round(time.time() - start, 6), "o", text])
        return True

    read(SLOW)
    for step in steps:
        if isinstance(step, str):
            try:
                os.write(master, step.encode())
            except OSError:
                break
        elif isinstance(step, tuple):
            _, c, r = step
            events.append([round(time.time() - start, 6), "r", f"{c}x{r}"])
            size(c, r)
        elif not read(step):
            break
    os.close(master)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    with open(os.path.join(target, name + ".cast"), "w") as f:
        for line in [{"version": 2, "width": cols, "height": rows, "env": {"TERM": "xterm-256color"}}, *events]:
            f.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")
    print(name, len(events), "events", sum(len(e[2]) for e in events), "characters")


if __name__ == "__main__":
    if os.environ.get("RECORDING") != "1":
        env = {"PATH": os.environ["PATH"], "RECORDING": "1", "HOME": HOME, "TERM": "xterm-256color", "LANG": "C.UTF-8", "PS1": "\\[\\e[32m\\]user@host\\[\\e[m\\]:\\w$ ",
               "HISTFILE": "", "USER": "user", "LOGNAME": "user", "GIT_AUTHOR_NAME": "Somebody", "GIT_AUTHOR_EMAIL": "somebody@example.org", "TZ": "UTC",
               "GIT_COMMITTER_NAME": "Somebody", "GIT_COMMITTER_EMAIL": "somebody@example.org", "GIT_AUTHOR_DATE": "2024-01-01T12:00:00Z", "GIT_COMMITTER_DATE": "2024-01-01T12:00:00Z"}
        os.execvpe("unshare", ["unshare", "--uts", "--pid", "--mount", "--fork", "--mount-proc", "sh", "-c", 'hostname host && mount --bind "$(dirname "$1")" /mnt && mount -t tmpfs none /home && shift && exec python3 /mnt/record.py "$@"', "sh", os.path.abspath(__file__), *sys.argv[1:]], env)
    prepare()
    for name in sys.argv[1:] or SESSIONS:
        record(name, "/mnt")
