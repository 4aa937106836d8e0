"""Everything public of the modules that take paths or descriptors, and what a mount does about it.

A release of Python that brings something new fails the test that compares, and not a user: look at
what is new, let it work in mounts if it takes a path or a descriptor, and add it here.
"""

from __future__ import annotations

STOOD_IN_FOR = {
    "os": """
        DirEntry access chdir chmod chown close closerange copy_file_range device_encoding dup dup2
        execv execve fchdir fchmod fchown fdatasync fpathconf fstat fstatvfs fsync ftruncate
        get_blocking get_inheritable getcwd getcwdb getxattr isatty lchown link listdir listxattr
        lockf lseek lstat mkdir mkfifo mknod open pathconf posix_fadvise posix_fallocate posix_spawn
        posix_spawnp pread preadv pwrite pwritev read readinto readlink readv remove removexattr
        rename replace rmdir scandir sendfile set_blocking set_inheritable setxattr splice stat
        statvfs statx statx_result symlink system truncate umask unlink utime write writev
    """,
    "io": "FileIO open open_code",
    "fcntl": "fcntl flock ioctl lockf",
    "mmap": "mmap",
}
"""What is replaced while something is mounted."""

BUILT_ON_THEM = {
    "os": """
        execl execle execlp execlpe execvp execvpe fdopen fwalk makedirs popen removedirs renames
        spawnl spawnle spawnlp spawnlpe spawnv spawnve spawnvp spawnvpe walk
    """,
    "shutil": """
        chown copy copy2 copyfile copyfileobj copymode copystat copytree disk_usage ignore_patterns
        make_archive move rmtree unpack_archive which
    """,
    "glob": "glob glob0 glob1 iglob",
    "tempfile": """
        NamedTemporaryFile SpooledTemporaryFile TemporaryDirectory TemporaryFile gettempdir
        gettempdirb mkdtemp mkstemp mktemp
    """,
    "io": "BufferedRWPair BufferedRandom BufferedReader BufferedWriter TextIOWrapper",
    "pathlib.Path": """
        absolute chmod copy copy_into cwd exists expanduser glob group hardlink_to home info
        is_block_device is_char_device is_dir is_fifo is_file is_junction is_mount is_socket
        is_symlink iterdir lchmod link_to lstat mkdir move move_into open owner read_bytes read_text
        readlink rename replace resolve rglob rmdir samefile stat symlink_to touch unlink walk
        write_bytes write_text
    """,
}
"""What is written in Python, or does its work through what is replaced."""

NOT_OF_FILES = {
    "os": """
        GenericAlias Mapping MutableMapping PathLike WCOREDUMP WEXITSTATUS WIFCONTINUED WIFEXITED
        WIFSIGNALED WIFSTOPPED WSTOPSIG WTERMSIG abc_ABC abort chroot confstr cpu_count ctermid
        error eventfd eventfd_read eventfd_write fork forkpty fsdecode fsencode fspath
        get_exec_path get_terminal_size getegid getenv getenvb geteuid getgid getgrouplist getgroups
        getloadavg getlogin getpgid getpgrp getpid getppid getpriority getrandom getresgid getresuid
        getsid getuid grantpt initgroups kill killpg login_tty major makedev memfd_create minor nice
        openpty pidfd_open pipe pipe2 posix_openpt process_cpu_count ptsname putenv register_at_fork
        reload_environ sched_get_priority_max sched_get_priority_min sched_getaffinity
        sched_getparam sched_getscheduler sched_param sched_rr_get_interval sched_setaffinity
        sched_setparam sched_setscheduler sched_yield setegid seteuid setgid setgroups setns setpgid
        setpgrp setpriority setregid setresgid setresuid setreuid setsid setuid stat_result
        statvfs_result strerror sync sysconf tcgetpgrp tcsetpgrp terminal_size timerfd_create
        timerfd_gettime timerfd_gettime_ns timerfd_settime timerfd_settime_ns times times_result
        ttyname uname uname_result unlockpt unsetenv unshare urandom wait wait3 wait4 waitid
        waitid_result waitpid waitstatus_to_exitcode
    """,
    "shutil": """
        COPY_BUFSIZE Error ExecError ReadError RegistryError SameFileError SpecialFileError
        get_archive_formats get_terminal_size get_unpack_formats register_archive_format
        register_unpack_format unregister_archive_format unregister_unpack_format
    """,
    "glob": "escape has_magic translate",
    "tempfile": "gettempprefix gettempprefixb",
    "io": """
        BlockingIOError BufferedIOBase BytesIO GenericAlias IOBase IncrementalNewlineDecoder
        RawIOBase Reader StringIO TextIOBase UnsupportedOperation Writer text_encoding
    """,
    "fcntl": "",
    "mmap": "error",
    "pathlib.Path": """
        anchor as_posix as_uri drive from_uri full_match is_absolute is_relative_to is_reserved
        joinpath match name parent parents parser parts relative_to root stem suffix suffixes
        with_name with_segments with_stem with_suffix
    """,
}
"""What takes neither, or works on what is not in a mount: terminals, pipes, processes."""


def known_names(module: str) -> set[str]:
    """Return all names of a module, or of a class, that somebody has looked at."""
    return {
        name
        for names in (STOOD_IN_FOR, BUILT_ON_THEM, NOT_OF_FILES)
        for name in names.get(module, "").split()
    }
