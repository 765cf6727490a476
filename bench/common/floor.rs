//! The floor: what no program that looks into every file of a list can go below. Each file is opened,
//! asked for its size, read whole into a buffer that is used again, and closed.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::thread;

/// Reads all files on so many threads; the bytes read.
pub fn read_all(files: &[PathBuf], threads: usize) -> u64 {
    let share = files.len().div_ceil(threads);
    if threads == 1 {
        return read_some(files);
    }
    thread::scope(|scope| {
        let shares: Vec<_> = files
            .chunks(share)
            .map(|share| scope.spawn(|| read_some(share)))
            .collect();
        shares
            .into_iter()
            .map(|share| share.join().expect("reading does not panic"))
            .sum()
    })
}

fn read_some(files: &[PathBuf]) -> u64 {
    let mut buffer = Vec::new();
    let mut total = 0;
    for path in files {
        let mut file = File::open(path).expect("a file of the bench");
        let size = file.metadata().expect("a size").len() as usize;
        if buffer.len() < size {
            buffer.resize(size, 0);
        }
        file.read_exact(&mut buffer[..size])
            .expect("the whole file");
        total += size as u64;
    }
    total
}
