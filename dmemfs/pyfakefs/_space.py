"""Sizes of devices: of the whole file system, and of directories that stand for further ones."""

from __future__ import annotations

import errno
import posixpath
from typing import Any, NamedTuple

from .._errors import os_error
from .._paths import StrPath
from ._making import Making
from ._memory import UNLIMITED


class DiskUsage(NamedTuple):
    """Bytes of a device, as `shutil.disk_usage` says."""

    total: int
    used: int
    free: int


class Space(Making):
    """Limits the sizes of devices.

    Attributes:
        mount_points: what is known of each device, by the directory at which it is.
    """

    def _set_up(self) -> None:
        super()._set_up()
        self.mount_points: dict[str, dict[str, Any]] = {}
        self.add_mount_point("/")

    def add_mount_point(
        self, path: StrPath, total_size: int | None = None, can_exist: bool = False
    ) -> dict[str, Any]:
        """Let a directory stand for a device with a size of its own.

        Args:
            path: the directory, which is made where it is missing.
            total_size: bytes; None for no limit.
            can_exist: whether it may be one already.

        Raises:
            FileExistsError: it is one already.
        """
        point = self._text(path)
        if point in self.mount_points:
            if can_exist:
                return self.mount_points[point]
            raise os_error(errno.EEXIST, path)
        with self.memory.permissions.suspended():
            for missing in self._missing(point):
                self.memory.mkdir(missing)
                self.memory.chmod(missing, 0o777)
        self._show(point)
        known = {"idev": len(self.mount_points) + 1, "total_size": total_size, "used_size": 0}
        self.mount_points[point] = known
        self._limit(point, total_size)
        return known

    def is_mount_point(self, file_path: StrPath) -> bool:
        """Tell whether a directory stands for a device."""
        return self._text(file_path) in self.mount_points

    def set_disk_usage(self, total_size: int, path: StrPath | None = None) -> None:
        """Set the size of a device.

        Args:
            total_size: bytes.
            path: anything on the device; the root by default.

        Raises:
            QuotaExceededError: what is there does not fit.
        """
        point = self._point_of(path)
        self._limit(point, total_size)
        self.mount_points[point]["total_size"] = total_size

    def get_disk_usage(self, path: StrPath | None = None) -> DiskUsage:
        """Return the total, used and free bytes of a device; 1 TiB where it has no limit."""
        point = self._point_of(path)
        total = self.mount_points[point]["total_size"]
        if total is None:
            return DiskUsage(UNLIMITED, 0, UNLIMITED)
        used = self.memory.quota(point).used_bytes + self.mount_points[point]["used_size"]
        return DiskUsage(total, used, total - used)

    def change_disk_usage(self, usage_change: int, file_path: StrPath, st_dev: int) -> None:
        """Let more, or less, of a device be in use than what its files take.

        Args:
            usage_change: bytes.
            file_path: what an error names.
            st_dev: the number of the device; that of the root if there is no such one.

        Raises:
            OSError: ENOSPC, so much is not free.
        """
        points = self.mount_points
        point = next((each for each in points if points[each]["idev"] == st_dev), "/")
        known = points[point]
        if known["total_size"] is not None and self.get_disk_usage(point).free < usage_change:
            raise os_error(errno.ENOSPC, file_path)
        known["used_size"] += usage_change
        self._limit(point, known["total_size"])

    def _limit(self, point: str, total_size: int | None) -> None:
        if total_size is None:
            self.memory.set_quota(point, None)
            return
        left = max(0, total_size - self.mount_points[point]["used_size"])
        self.memory.set_quota(point, left)
        self.memory.count_large_files()

    def _point_of(self, path: StrPath | None) -> str:
        """Return at which directory the device of a path is."""
        point = "/" if path is None else self._text(path)
        while point not in self.mount_points:
            point = posixpath.dirname(point)
        return point
