"""Letting go of a version that no snapshot needs any more."""

from __future__ import annotations

from .._nodes.accounts import UnlinkedAccount
from .._nodes.content import Content, kept_of
from .._nodes.nodes import Directory, File, Node
from .versions import (
    FILE_NLINK,
    DirectoryState,
    Remembering,
    Version,
    all_versions,
    do_to_the_end,
)


def release(fs: Remembering, version: Version) -> None:
    """Free what is kept for a version that nobody needs, and for others that only led to it.

    A version with several preceding ones stays, since they say what is different from it. Where
    this is interrupted, it can be done again.

    Complexity: O(changes preserved in it + versions), and O(versions) for each directory that was
    removed with entries in it that a restore has put there.
    """
    current: Version | None = version
    while current is not None and not current.holders and len(current.preceding) < 2:
        following = current.following
        files, directories = list(current.files), list(current.directories)
        is_between = bool(current.preceding)
        if is_between:
            _merge(fs, current, current.preceding[0])
        else:
            _drop(fs, current)
        _empty_removed(fs, directories)
        _forget_nameless(fs, files)
        if is_between:
            return
        current = following


def _drop(fs: Remembering, version: Version) -> None:
    """Let go of a version that none precedes."""
    following = version.following
    left = (
        () if following is None else tuple(one for one in following.preceding if one is not version)
    )
    account = fs._account
    held = version.held
    account.used -= held
    account.aside -= held
    version.held = 0
    if following is None:
        fs._newest = None
    else:
        following.preceding = left
    version.forget_differences()


def _empty_removed(fs: Remembering, directories: list[Directory]) -> None:
    """Let directories that are not there by now lose what no version has in them any more."""
    gone = [
        (directory.children, name)
        for directory in directories
        # Most are empty, and what was never looked into has no entries that changed.
        if directory.removed and dict.__len__(directory.children)
        for name in _entries_of_nobody(fs, directory)
    ]

    def forget() -> None:
        for children, name in gone:
            children.pop(name, None)

    do_to_the_end(forget)


def _entries_of_nobody(fs: Remembering, directory: Directory) -> list[str]:
    """Return the names in a removed directory that no version needs its `children` for.

    A version finds its entries in those of the next state of the directory on the way to the
    present, and `children` are what the last of these begins with. Where that one says of a name
    that it leads to nothing, it does not matter what `children` say.
    """
    nearest: list[DirectoryState] = []
    versions = [] if fs._newest is None else [fs._newest]
    for version in versions:
        state = version.directories.get(directory)
        if state is None:
            versions.extend(version.preceding)
        else:
            nearest.append(state)
    if not nearest:
        return []
    return [
        name
        for name in list(nearest[0].entries)
        if all(name in state.entries and state.entries[name] is None for state in nearest)
    ]


def _forget_nameless(fs: Remembering, files: list[File]) -> None:
    """Forget what open files were that have no name, at present and in all versions.

    What is written to them stays from now on, whatever is restored.
    """
    nameless = {file for file in files if type(file.account) is UnlinkedAccount}
    if not nameless or fs._newest is None:
        return
    found = [(one, nameless & one.files.keys()) for one in all_versions(fs._newest)]
    for version, known in found:
        nameless -= {file for file in known if version.files[file][FILE_NLINK]}
    for version, known in reversed(found):  # so that what follows a version is still there
        for file in known & nameless:
            _forget_file(fs, version, file)
        for file in nameless & version.created.keys():
            version.created.pop(file, None)


def _forget_file(fs: Remembering, version: Version, file: File) -> None:
    """Let the file be in a version what it is in the following one."""
    account = fs._account
    watch = _Watch()
    fs._restoration = watch
    try:
        while True:
            watch.changed = False
            held = kept_of(version.files[file][0], content_after(version, file))
            if watch.changed:
                continue
            del version.files[file]
            version.held -= held
            account.used -= held
            account.aside -= held
            return
    finally:
        fs._restoration = None


class _Watch:
    """Notices whether a signal handler changes the tree meanwhile."""

    def __init__(self) -> None:
        self.changed = False

    def complete(self) -> None:
        self.changed = True


def _merge(fs: Remembering, version: Version, earlier: Version) -> None:
    """Let the version before `version` say what is different from the one after it."""
    following = version.following
    siblings: tuple[Version, ...] = ()
    if following is not None:
        siblings = tuple(earlier if one is version else one for one in following.preceding)
    account = fs._account
    watch = _Watch()
    fs._restoration = watch
    try:
        while True:
            watch.changed = False
            _move_differences(version, earlier)
            change = _change_of_held(version, earlier)
            if watch.changed:
                continue
            account.used += change
            account.aside += change
            earlier.held += change + version.held
            version.held = 0
            earlier.following = following
            if following is None:
                fs._newest = earlier
            else:
                following.preceding = siblings
            _forget_removed(version, earlier)
            return
    finally:
        fs._restoration = None


def _move_differences(version: Version, earlier: Version) -> None:
    """Note in `earlier` what is different in `version`, where it knows nothing older."""
    created = earlier.created
    for file, file_state in list(version.files.items()):
        if file not in created:
            earlier.files.setdefault(file, file_state)
    for link, link_state in list(version.links.items()):
        if link not in created:
            earlier.links.setdefault(link, link_state)
    for directory, state in list(version.directories.items()):
        if directory in created:
            continue
        before = earlier.directories.setdefault(directory, state)
        if before is not state:
            _merge_directory(before, state)
    for node in list(version.created):
        if not (node in earlier.files or node in earlier.links or node in earlier.directories):
            created[node] = None


def _forget_removed(version: Version, earlier: Version) -> None:
    """Let go of what nobody knows any more; only when the counts have been changed for it."""
    created = earlier.created
    nodes: list[Node] = [*version.files, *version.links, *version.directories]
    gone = {node for node in nodes if node in created and not node.nlink}
    if gone and version.following is not None:
        for later in version.following.on_the_way():
            for states in (later.files, later.links, later.directories):
                gone -= gone & states.keys()
    for node in gone:
        created.pop(node, None)


def _merge_directory(before: DirectoryState, after: DirectoryState) -> None:
    for name, child in list(after.entries.items()):
        before.entries.setdefault(name, child)
    if before.order is None:
        before.order = after.order


def _change_of_held(version: Version, earlier: Version) -> int:
    """Return by how much less is held if `version` is gone; negative, or 0."""
    change = 0
    for node in version.files.keys() & earlier.created.keys():
        change -= kept_of(version.files[node][0], content_after(version, node))
    for node in version.files.keys() & earlier.files.keys():
        image, between = earlier.files[node][0], version.files[node][0]
        following = content_after(version, node)
        change += kept_of(image, following)
        change -= kept_of(image, between) + kept_of(between, following)
    return change


def content_after(version: Version, node: File) -> Content:
    """Return the content that `node` has in the next version that has it, or at present."""
    following = version.following
    while following is not None:
        state = following.files.get(node)
        if state is not None:
            return state[0]
        following = following.following
    return node.content
