//! What a walk may come by once more and has counted already: directories, files with several names, large ones.
#![forbid(unsafe_code)]

/// A set of inode numbers, of each device its own: in all 8 to 16 bytes for each, also while it grows. (The standard set takes
/// up to 40 then, and whoever owns the tree may have made millions of them.)
#[derive(Debug, Default)]
pub(super) struct Inodes {
    // More than one only where a file system has several device numbers (btrfs).
    devices: Vec<(u64, Device)>,
}

impl Inodes {
    /// Adds one; false if it was there.
    pub(super) fn insert(&mut self, device: u64, inode: u64) -> bool {
        if let Some((_, set)) = self.devices.iter_mut().find(|(known, _)| *known == device) {
            return set.insert(inode);
        }
        let mut set = Device::default();
        set.insert(inode);
        self.devices.push((device, set));
        true
    }
}

/// A part grows by itself, so that what is there twice while it does is little.
const PARTS: usize = 64;
/// No file has this number.
const FREE: u64 = 0;
/// Of the first growth of a part.
const FIRST: usize = 8;

#[derive(Debug)]
struct Device {
    parts: [Part; PARTS],
}

impl Default for Device {
    fn default() -> Device {
        Device { parts: std::array::from_fn(|_| Part::default()) }
    }
}

impl Device {
    fn insert(&mut self, inode: u64) -> bool {
        let hash = scatter(inode);
        // The upper bits choose the place in the part.
        self.parts.get_mut(hash as usize % PARTS).is_some_and(|part| part.insert(inode, hash))
    }
}

/// A table with open addressing.
#[derive(Debug, Default)]
struct Part {
    slots: Box<[u64]>,
    used: usize,
}

impl Part {
    fn insert(&mut self, inode: u64, hash: u64) -> bool {
        // At most nine tenths full, so that there is always a free slot to end a search.
        if (self.used + 1) * 10 > self.slots.len() * 9 {
            self.grow();
        }
        match self.slot(inode, hash) {
            Some(slot) if *slot == FREE => {
                *slot = inode;
                self.used += 1;
                true
            }
            _ => false,
        }
    }

    /// Where it is, or belongs.
    fn slot(&mut self, inode: u64, hash: u64) -> Option<&mut u64> {
        let start = ((u128::from(hash) * self.slots.len() as u128) >> 64) as usize;
        let (before, after) = self.slots.split_at_mut(start);
        after.iter_mut().chain(before).find(|slot| **slot == inode || **slot == FREE)
    }

    fn grow(&mut self) {
        let larger = (self.slots.len() + self.slots.len() / 2).max(FIRST);
        let old = std::mem::replace(&mut self.slots, vec![FREE; larger].into());
        for inode in old.into_iter().filter(|inode| *inode != FREE) {
            if let Some(slot) = self.slot(inode, scatter(inode)) {
                *slot = inode;
            }
        }
    }
}

/// Numbers that follow each other, as inodes' do, to numbers all over the range (the finaliser of splitmix64).
fn scatter(number: u64) -> u64 {
    let mut hash = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    proptest! {
        #[test]
        fn it_is_a_set(numbers in prop::collection::vec((0..3u64, prop_oneof![1..50u64, 1..u64::MAX]), 0..600)) {
            let (mut inodes, mut known) = (Inodes::default(), HashSet::new());
            for (device, inode) in numbers {
                prop_assert_eq!(inodes.insert(device, inode), known.insert((device, inode)));
            }
        }
    }

    /// Of the slots, at the worst moment: while the last part grows, its old and its new ones.
    fn bytes(inodes: &Inodes) -> usize {
        let parts = || inodes.devices.iter().flat_map(|(_, device)| &device.parts);
        let largest = parts().map(|part| part.slots.len()).max().unwrap_or(0);
        (parts().map(|part| part.slots.len()).sum::<usize>() + largest) * size_of::<u64>()
    }

    #[test]
    fn it_takes_at_most_sixteen_bytes_for_each() {
        let mut inodes = Inodes::default();
        for (count, inode) in (1_000_000..1_400_000u64).enumerate() {
            assert!(inodes.insert(7, inode));
            assert!(count < 5000 || bytes(&inodes) <= 16 * (count + 1), "{} for {count}", bytes(&inodes));
        }
        assert!((1_000_000..1_400_000u64).all(|inode| !inodes.insert(7, inode)));
    }
}
