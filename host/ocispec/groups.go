package ocispec

import (
	"fmt"
	"slices"
	"strconv"
)

func (o *Options) validateGroups() error {
	for _, group := range o.Groups {
		if err := checkText("group", group); err != nil {
			return err
		}
		if group == "" {
			return invalid("a group has no name; give a name or a number")
		}
		if gid, err := strconv.Atoi(group); err == nil && (gid < 0 || gid > maxID) {
			return invalid("group %q: ids go from 0 to %d", group, maxID)
		}
	}
	return nil
}

// changeGroups adds groups to those of the process's user.
func (o *Options) changeGroups(spec *object, rootfs string) error {
	if len(o.Groups) == 0 {
		return nil
	}
	return spec.edit(func(user *object) error {
		var gids []int
		if _, err := user.get("additionalGids", &gids); err != nil {
			return err
		}
		for _, group := range o.Groups {
			gid, err := lookUpGroup(rootfs, group)
			if err != nil {
				return err
			}
			gids = append(gids, gid)
		}
		slices.Sort(gids)
		return user.set("additionalGids", slices.Compact(gids))
	}, "process", "user")
}

// lookUpGroup returns the gid of a group, a name from the rootfs or a number.
func lookUpGroup(rootfs, group string) (int, error) {
	if gid, err := strconv.Atoi(group); err == nil {
		return gid, nil
	}
	file, err := readAccounts(rootfs, "etc/group")
	if err != nil {
		return 0, err
	}
	found := file.find(named(group))
	if found == nil {
		return 0, fmt.Errorf("group %q is not known in /etc/group of rootfs %q; give a number", group, rootfs)
	}
	return found.id(2, "gid")
}
