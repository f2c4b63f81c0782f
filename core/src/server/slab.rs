//! A table whose entries are named by index and generation, so that an old name never finds a new entry.

use alloc::vec::Vec;

/// The name of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Handle {
    index: u32,
    generation: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Slab<T> {
    entries: Vec<(u32, Option<T>)>,
    free: Vec<u32>,
}

impl<T> Slab<T> {
    pub(super) const fn new() -> Self {
        Self { entries: Vec::new(), free: Vec::new() }
    }

    pub(super) fn insert(&mut self, value: T) -> Handle {
        let index = self.free.pop().unwrap_or_else(|| {
            self.entries.push((0, None));
            (self.entries.len() - 1) as u32
        });
        let (generation, entry) = &mut self.entries[index as usize];
        *entry = Some(value);
        Handle { index, generation: *generation }
    }

    #[inline]
    pub(super) fn get(&self, handle: Handle) -> Option<&T> {
        let (generation, entry) = self.entries.get(handle.index as usize)?;
        if *generation == handle.generation { entry.as_ref() } else { None }
    }

    #[inline]
    pub(super) fn get_mut(&mut self, handle: Handle) -> Option<&mut T> {
        let (generation, entry) = self.entries.get_mut(handle.index as usize)?;
        if *generation == handle.generation { entry.as_mut() } else { None }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.entries.iter_mut().filter_map(|(_, entry)| entry.as_mut())
    }

    pub(super) fn remove(&mut self, handle: Handle) -> Option<T> {
        let (generation, entry) = self.entries.get_mut(handle.index as usize)?;
        let value = entry.take_if(|_| *generation == handle.generation)?;
        *generation = generation.wrapping_add(1);
        self.free.push(handle.index);
        Some(value)
    }
}
