//! Our loops keep the contracts, and the checks find those who don't.
#![cfg(target_os = "linux")]

/// Demands that each fault is found by the contract whose name begins so, all beside each other. Whoever asks has `Polling`,
/// `Fault` and `contracts`.
#[cfg(test)]
macro_rules! finds {
    ($($fault:ident by $name:literal;)*) => {
        std::thread::scope(|scope| {$(
            scope.spawn(|| {
                let mut contracts = contracts::<Polling<{ Fault::$fault as usize }>>().into_iter();
                let contract = contracts.find(|contract| contract.name.starts_with($name)).unwrap();
                let violation = (contract.check)().expect_err(concat!(stringify!($fault), " goes unnoticed"));
                println!("{:18} {violation}", stringify!($fault));
            });
        )*})
    };
}

#[cfg(test)]
mod faulty;
#[cfg(test)]
mod faulty_client;
#[cfg(test)]
mod ours;
